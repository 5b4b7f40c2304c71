"""Folders are refused whose path TensorFlow reads as a pattern of names."""

import pytest

from common.errors import UserError
from common.folders import check_no_pattern


@pytest.mark.parametrize("name", ["runs/tumou[r]", "run*", "run?", "run\\[1]"])
def test_an_output_folder_that_would_be_read_as_a_pattern_is_told(name: str) -> None:
    sign = next(sign for sign in name if sign in "[*?\\")
    with pytest.raises(UserError) as error:
        check_no_pattern("--output", f"/srv/{name}")
    assert str(error.value) == (
        f"--output: {f'/srv/{name}'!r} has a {sign!r}, which TensorFlow takes for part of a pattern of names; "
        f"expected a path without any of [ * ? \\"
    )


@pytest.mark.parametrize("name", ["run]", "run {a,b} (1) #2 100%", "gs://bucket/run"])
def test_other_signs_may_be_in_the_path_of_an_output_folder(name: str) -> None:
    check_no_pattern("--output", name)
