"""Folders that a run reads and writes have to be apart."""

import pytest

from common.errors import UserError
from pipeline.run_folders import check_apart

INSIDE = ("logs", "pipeline", "serving")


@pytest.mark.parametrize(
    ("output", "folder"),
    [
        ("/srv/output", "/srv/data"),
        ("/srv", "/srv/data"),
        ("/srv/data2", "/srv/data"),
        ("/srv/output", "/srv/output/sample_data"),
        ("/srv/output", "/srv/output/pipeline2"),
    ],
)
def test_pictures_beside_what_a_run_writes_are_read(output: str, folder: str) -> None:
    check_apart("--output", output, {"data": folder}, inside=INSIDE)


@pytest.mark.parametrize("output", ["/srv/data", "/srv/data/output", "/srv/data/cat/deep/output"])
def test_an_output_folder_among_the_pictures_is_told(output: str) -> None:
    with pytest.raises(UserError) as error:
        check_apart("--output", output, {"infer": "/elsewhere", "data": "/srv/data"}, inside=INSIDE)
    assert str(error.value) == (
        f"--output: {output!r} lies in '/srv/data', the folder of data, where what the run writes would be taken for "
        f"pictures; expected a folder elsewhere"
    )


@pytest.mark.parametrize("inside", ["serving", "pipeline/Trainer"])
def test_pictures_where_a_run_writes_its_own_files_are_told(inside: str) -> None:
    folder = f"/srv/output/{inside}"
    with pytest.raises(UserError) as error:
        check_apart("--output", "/srv/output", {"infer": folder}, inside=INSIDE)
    assert str(error.value) == (
        f"infer: {folder!r} lies in the folder {inside.split('/')[0]!r} of --output '/srv/output', which is the run's "
        f"own; expected pictures elsewhere"
    )
