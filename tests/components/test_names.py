import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.names import escape, unescape


@given(st.text(st.characters(exclude_categories=[])))
def test_any_name_survives_on_one_line_of_utf8(name: str):
    text = escape(name)
    assert unescape(text) == name
    assert text.encode().decode().splitlines() in ([text], [])


@pytest.mark.parametrize("name", ['cat\'s "picture" 1.jpg', "ねこ.png", "été/a-b_c.png"])
def test_readable_names_stay_as_they_are(name: str):
    assert escape(name) == name
