"""What is written is what is read, and the names that steps ask for are there."""

from common import example_records, examples
from common.examples import Example

_EXAMPLE = Example(
    image=b"\x00\xff",
    label=3,
    class_name="Zürich",
    sha256="ab" * 32,
    file_name="a\\u000a.png",
    height=24,
    width=32,
    brightness=0.5,
    sharpness=0.25,
    size_range="below 64 px",
    brightness_range="0.4-0.6",
)


def test_a_record_is_the_example_again() -> None:
    assert example_records.decode(example_records.encode(_EXAMPLE)) == _EXAMPLE


def test_each_name_is_a_feature_s_and_each_feature_has_one() -> None:
    constants = {name: value for name, value in vars(examples).items() if value in Example._fields}
    assert constants == {field.upper(): field for field in Example._fields}
