"""Folders that a run reads and writes have to be apart, and those that it writes to must be no patterns."""

import pytest

from common.errors import UserError
from pipeline.run_folders import check_apart, check_no_pattern

INSIDE = ("logs", "pipeline", "serving")


@pytest.mark.parametrize(
    ("output", "folder"),
    [
        ("/work/output", "/work/data"),
        ("/work", "/work/data"),
        ("/work/data2", "/work/data"),
        ("/work/output", "/work/output/sample_data"),
        ("/work/output", "/work/output/pipeline2"),
    ],
)
def test_pictures_beside_what_a_run_writes_are_read(output: str, folder: str) -> None:
    check_apart("--output", output, {"data": folder}, inside=INSIDE)


@pytest.mark.parametrize("output", ["/work/data", "/work/data/output", "/work/data/cat/deep/output"])
def test_an_output_folder_among_the_pictures_is_told(output: str) -> None:
    with pytest.raises(UserError) as error:
        check_apart("--output", output, {"infer": "/elsewhere", "data": "/work/data"}, inside=INSIDE)
    assert str(error.value) == (
        f"--output: {output!r} lies in '/work/data', the folder of data, where what the run writes would be taken for "
        f"pictures; expected a folder elsewhere"
    )


@pytest.mark.parametrize("inside", ["serving", "pipeline/Trainer"])
def test_pictures_where_a_run_writes_its_own_files_are_told(inside: str) -> None:
    folder = f"/work/output/{inside}"
    with pytest.raises(UserError) as error:
        check_apart("--output", "/work/output", {"infer": folder}, inside=INSIDE)
    assert str(error.value) == (
        f"infer: {folder!r} lies in the folder {inside.split('/')[0]!r} of --output '/work/output', which is the run's "
        f"own; expected pictures elsewhere"
    )


@pytest.mark.parametrize("name", ["runs/tumou[r]", "run*", "run?", "run\\[1]"])
def test_an_output_folder_that_would_be_read_as_a_pattern_is_told(name: str) -> None:
    sign = next(sign for sign in name if sign in "[*?\\")
    with pytest.raises(UserError) as error:
        check_no_pattern("--output", f"/work/{name}")
    assert str(error.value) == (
        f"--output: {f'/work/{name}'!r} has a {sign!r}, which TensorFlow takes for part of a pattern of names; "
        f"expected a path without any of [ * ? \\"
    )


@pytest.mark.parametrize("name", ["run]", "run {a,b} (1) #2 100%", "gs://bucket/run"])
def test_other_signs_may_be_in_the_path_of_an_output_folder(name: str) -> None:
    check_no_pattern("--output", name)
