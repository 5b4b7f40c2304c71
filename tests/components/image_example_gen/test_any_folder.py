"""Whatever lies in a data folder: each file is used, a duplicate or quarantined, or the run stops with one line."""

import os
import tempfile
from collections import Counter
from pathlib import Path

import broken
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import encode, make_pixels

from common.errors import UserError
from components.image_example_gen import executor, layout
from components.image_example_gen.leakage import find_leaks
from components.image_example_gen.plan import Record, make_plan

pytestmark = pytest.mark.filterwarnings("ignore")  # of Pillow, about what is broken

_FOLDERS = ["", "train", "train/a", "train/b", "eval/a", "eval/b", "test/a", "test/b", "train/a/deep", "test/b/deep"]
_SOUND = list(broken.SOUND.values())
_CONTENTS = st.one_of(
    st.sampled_from(_SOUND),
    st.binary(max_size=100),
    st.tuples(st.sampled_from(_SOUND), st.floats(0, 1)).map(lambda cut: cut[0][: int(len(cut[0]) * cut[1])]),
)
_LINKS = st.sampled_from(
    ["..", ".", "../a", "../b", "../../test/b", "/etc/passwd", "/", "nowhere", "itself", "x" * 300]
)


def _is_name(name: str) -> bool:
    try:
        return name not in (".", "..") and 0 < len(os.fsencode(name)) <= 255
    except UnicodeEncodeError:
        return False


_NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=[]), min_size=1, max_size=80).filter(
    _is_name
)
_ENTRIES = st.lists(st.tuples(st.sampled_from(_FOLDERS), _NAMES, _CONTENTS | _LINKS | st.none()), max_size=25)


def _make(root: Path, entries: list[tuple[str, str, bytes | str | None]]) -> None:
    """Two pictures a class and split, and the entries where nothing else is: files, links and, for None, folders."""
    for place, folder in enumerate(folder for folder in _FOLDERS if folder.count("/") == 1):
        (root / folder).mkdir(parents=True)
        for index in range(2):
            (root / folder / f"sound {index}.png").write_bytes(encode(make_pixels(2 * place + index)))
    for folder, name, content in entries:
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            continue
        if content is None:
            path.mkdir()
        elif isinstance(content, str):
            path.symlink_to(content)
        else:
            path.write_bytes(content)


@settings(max_examples=100, deadline=None)
@given(_ENTRIES)
def test_each_file_of_any_folder_is_accounted_for(entries: list[tuple[str, str, bytes | str | None]]):
    with tempfile.TemporaryDirectory() as folder:
        _make(Path(folder), entries)
        try:
            found = layout.find(folder)
            records = [
                Record(file, sha256="") if file.problem else executor._examine_file(found.root, file, 10_000)
                for file in found.files
            ]
            plan = make_plan(
                records,
                classes=found.classes,
                split_folders=found.splits,
                eval_fraction=0.15,
                test_fraction=0.15,
                max_quarantined_fraction=1.0,
            )
        except UserError as error:
            stopped = str(error)
            assert stopped.splitlines() == [stopped]
            return
    used = [record.file.path for records in plan.splits.values() for record in records]
    told = [path for path, _ in (*plan.duplicates, *plan.quarantined)]
    assert Counter(used + told) == Counter(file.path for file in found.files)
    assert plan.found == plan.used + len(plan.duplicates) + len(plan.quarantined) == len(found.files)
    assert all(reason for _, reason in plan.quarantined)
    assert {leak.path for leak in find_leaks(plan.splits)} <= set(used)
