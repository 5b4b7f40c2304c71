"""oneDNN is on where it helps, before TensorFlow could be imported without it, and a user's choice stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common import processor


@pytest.mark.parametrize(
    ("instructions", "chosen", "expected"),
    [({"avx2"}, None, "1"), ({"avx2"}, "0", "0"), ({"sse4_2"}, None, None), (set(), "1", "1")],
)
def test_onednn_is_on_where_the_processor_has_avx2(
    instructions: set[str], chosen: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "instructions", lambda: instructions)
    monkeypatch.delenv(processor.ONEDNN, raising=False)
    if chosen is not None:
        monkeypatch.setenv(processor.ONEDNN, chosen)
    processor.let_tensorflow_use_onednn()
    assert os.environ.get(processor.ONEDNN) == expected


def test_the_package_decides_before_tensorflow_is_imported() -> None:
    code = f"import pipeline, os, sys; print(os.environ.get({processor.ONEDNN!r}), 'tensorflow' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != processor.ONEDNN}
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.split() == ["1" if "avx2" in processor.instructions() else "None", "False"]
