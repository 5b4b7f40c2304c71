import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.escaping import csv_cell, escape, first_few, unescape


@given(st.text(st.characters(exclude_categories=[])))
def test_any_name_survives_on_one_line_of_utf8(name: str):
    text = escape(name)
    assert unescape(text) == name
    assert text.encode().decode().splitlines() in ([text], [])


@pytest.mark.parametrize("name", ['cat\'s "picture" 1.jpg', "ねこ.png", "été/a-b_c.png"])
def test_readable_names_stay_as_they_are(name: str):
    assert escape(name) == name


def test_no_name_can_turn_the_writing_direction_and_look_like_another():
    assert escape("cat\u202egnp.exe\u2066") == r"cat\u202egnp.exe\u2066"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], ""),
        (["a"], "a"),
        (["a\n", "b", "c"], r"a\u000a, b, c"),
        (["a", "b", "c", "d", "e\x1b"], r"a, b, c and 2 more"),
    ],
)
def test_of_many_names_the_first_few_are_shown(names: list[str], shown: str):
    assert first_few(names, 3) == shown


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1.png", "@SUM(A1)", " =1", "\t1", "\r1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"]
)
def test_a_cell_is_no_formula(text: str):
    assert csv_cell(text) == f"'{text}"


def test_a_cell_that_is_none_stays_as_it_is():
    assert csv_cell("a=1.png") == "a=1.png"
