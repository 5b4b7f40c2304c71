import contextlib
import json
from pathlib import Path

import pytest

from common.errors import UserError
from components.image_example_gen.table import Columns, Row, open_table


def _rows(path: Path, content: str | bytes, **names: str) -> list[Row]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(open_table(str(path), Columns(**names)).rows())


def test_quotes_marks_line_ends_and_blank_lines_are_read_as_spreadsheets_write_them(tmp_path: Path):
    content = '\ufefffile_name,label\r\n"a, b.jpg","say ""hi"""\r\n\r\n,\r\n c.jpg , dog\r\n"two\nlines.jpg",cat'
    assert _rows(tmp_path / "labels.csv", content) == [
        Row("a, b.jpg", 'say "hi"', "", ""),
        Row("c.jpg", "dog", "", ""),
        Row("two\nlines.jpg", "cat", "", ""),
    ]


@pytest.mark.parametrize(("name", "delimiter"), [("x.csv", ";"), ("x.csv", "\t"), ("x.TSV", "\t"), ("x.CSV", ",")])
def test_the_header_tells_what_separates_cells(tmp_path: Path, name: str, delimiter: str):
    rows = [("file_name", "label", "split", "group"), ("1.jpg", "cat", "train", "p1")]
    content = "\n".join(map(delimiter.join, rows))
    assert _rows(tmp_path / name, content) == [Row(*rows[1])]


def test_numbers_are_names_as_they_are_written(tmp_path: Path):
    assert [row.label for row in _rows(tmp_path / "a.csv", "file_name,label\na,01\nb,1\nc,1.0\n")] == ["01", "1", "1.0"]
    lines = [json.dumps({"file_name": "a", "label": label}) for label in (1, "01", True, 2.5, None)]
    labels = [row.label for row in _rows(tmp_path / "a.jsonl", "\n".join(lines))]
    assert labels == ["1", "01", "true", "2.5", ""]


def test_both_unicode_forms_of_a_label_are_one(tmp_path: Path):
    assert {row.label for row in _rows(tmp_path / "a.csv", "file_name,label\na,Caf\u00e9\nb,Cafe\u0301\n")} == {"Café"}


def test_lines_of_json_may_lack_what_others_have(tmp_path: Path):
    content = '{"file_name": "a", "label": "x", "other": [1]}\n\n{"label": "y", "file_name": "b", "split": "test"}\n'
    assert _rows(tmp_path / "a.jsonl", content) == [Row("a", "x", "", ""), Row("b", "y", "test", "")]


def test_parquet_is_read_with_numbers_and_categories(tmp_path: Path):
    import pandas as pd

    table = pd.DataFrame({"file_name": ["a", "b", "c"], "label": pd.Categorical(["x", "y", None]), "group": [1, 2, 3]})
    table.to_parquet(tmp_path / "labels.parquet")
    rows = list(open_table(str(tmp_path / "labels.parquet"), Columns()).rows())
    assert rows == [Row("a", "x", "", "1"), Row("b", "y", "", "2"), Row("c", "", "", "3")]


def test_a_parquet_file_runs_no_code_of_its_own(tmp_path: Path):
    import pyarrow as pa
    from pyarrow import parquet

    # Old versions of pyarrow run what the schema says of a column's type.
    owned = tmp_path / "owned"
    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": f"cos\nsystem\n(S'touch {owned}'\ntR.".encode(),
    }
    schema = pa.schema([pa.field("file_name", pa.string()), pa.field("label", pa.string(), metadata=metadata)])
    parquet.write_table(pa.table([["a"], ["x"]], schema=schema), tmp_path / "labels.parquet")
    with contextlib.suppress(UserError):
        list(open_table(str(tmp_path / "labels.parquet"), Columns()).rows())
    assert not owned.exists()


def test_columns_may_be_called_otherwise(tmp_path: Path):
    path = tmp_path / "a.csv"
    assert _rows(path, "Image Path,CLASS,Subset,group\na,x,dev,g\n") == [Row("a", "x", "dev", "g")]
    assert _rows(path, "path,file_name,label\nno,a,x\n") == [Row("a", "x", "", "")], "the usual name wins"
    assert _rows(path, "url,breed,label\na,x,no\n", file_name="url", label="breed") == [Row("a", "x", "", "")]
    assert _rows(path, "file_name,label,split,group\na,x,7,8\n", split="", group="") == [Row("a", "x", "", "")]


@pytest.mark.parametrize(
    ("name", "content", "names", "message"),
    [
        (
            "a.csv",
            "id,breed\n1,x\n",
            {},
            "no column 'file_name' among id, breed; expected one, or its name in ingest.columns.file_name",
        ),
        (
            "a.csv",
            "path,breed\n1,x\n",
            {},
            "no column 'label' among path, breed; expected one, or its name in ingest.columns.label",
        ),
        (
            "a.csv",
            "file_name,label\n1,x\n",
            {"label": "breed"},
            "no column 'breed' among file_name, label; expected one, or its name in ingest.columns.label",
        ),
        (
            "a.csv",
            "file_name,label\n1,x\n",
            {"group": "patient"},
            "no column 'patient' among file_name, label; ingest.columns.group names it",
        ),
        (
            "a.csv",
            "path,image,label\n1,2,x\n",
            {},
            "the columns 'path' and 'image' may each be the file_name; ingest.columns.file_name names the one to use",
        ),
        (
            "a.csv",
            "file_name,label,label\n1,x,y\n",
            {},
            "the columns 'label' and 'label' may each be the label; ingest.columns.label names the one to use",
        ),
        (
            "a.csv",
            "file_name,label\na, b.jpg,x\n",
            {},
            "line 2 has 3 cells, expected 2; a comma in a name needs quotes around the name",
        ),
        ("a.csv", "", {}, "no column 'file_name' among ; expected one, or its name in ingest.columns.file_name"),
        ("a.csv", 'file_name,label\na,"x\nb,y\n', {}, "line 3: unexpected end of data; expected CSV"),
        (
            "a.csv",
            "file_name,label\ns3://bucket/a.jpg,x\n",
            {},
            "line 2: 's3://bucket/a.jpg' is an address; pictures must be files of this machine, or on a file system "
            "that is mounted there",
        ),
        ("a.jsonl", '{"file_name": "a", "label": "x"}\n[1]\n', {}, "line 2: expected a JSON object"),
        ("a.jsonl", '{"file_name": "a",\n', {}, "line 1: expected a JSON object"),
        (
            "a.jsonl",
            '{"file_name": "a", "label": ["x", "y"]}\n',
            {},
            "line 1: a cell holds a list, expected text or a number",
        ),
        ("a.jsonl", '{"file_name": "a\\u0000", "label": "x"}\n', {}, "line 1: 'a\\x00' cannot be a name"),
        ("a.jsonl", '{"file_name": "a", "label": "\\ud800"}\n', {}, "line 1: '\\ud800' cannot be a name"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, name: str, content: str, names: dict[str, str], message: str
):
    with pytest.raises(UserError) as error:
        _rows(tmp_path / name, content, **names)
    assert str(error.value) == f"{str(tmp_path / name)!r}: {message}"


def test_a_file_that_is_no_table_is_told_in_one_line(tmp_path: Path):
    path = tmp_path / "a.csv"
    with pytest.raises(UserError, match="is not UTF-8; save it as such"):
        _rows(path, "file_name,label\na,Café\n".encode("latin-1"))
    with pytest.raises(UserError, match="is not UTF-8; save it as such"):
        _rows(path, "file_name\tlabel\na\tx\n".encode("utf-16"))
    with pytest.raises(UserError, match="cannot be read as Parquet: "):
        _rows(tmp_path / "a.parquet", b"file_name,label\n")
    with pytest.raises(UserError, match="cannot be read: No such file or directory"):
        open_table(str(tmp_path / "none.csv"), Columns())
