"""No file, however broken, does more than be refused; and what is used of a broken one is whole."""

import io
import itertools

import broken
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import Pixels
from PIL import Image

from imaging.normalising import Refused, examine, normalise

pytestmark = pytest.mark.filterwarnings("ignore")  # of Pillow, about what is broken

_LIMIT = 10_000
_COPIES = 200
_STARTS = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"RIFF",
    b"P6 32 24 ",
    b"\0\0\1\0\1\0",
    b"\0\0\0\x18ftypavif",
]


def _pixels(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _stored(data: bytes) -> bytes | None:
    """What is stored of a file, None where it is refused; nothing else may happen."""
    try:
        picture = examine(data, _LIMIT)
    except Refused as error:
        reason = str(error)
        with pytest.raises(Refused, match=f"^{reason}$"):
            normalise(data, _LIMIT)
        return None
    stored = normalise(data, _LIMIT)
    assert picture.as_stored == (stored == data)
    decoded = tf.io.decode_image(stored, channels=3, expand_animations=False).numpy()
    assert decoded.shape == (picture.height, picture.width, 3)
    if stored != data:
        np.testing.assert_array_equal(decoded, _pixels(stored))
    return stored


@pytest.mark.parametrize("kind", broken.SOUND)
def test_sound_pictures_are_used(kind: str):
    stored = _stored(broken.SOUND[kind])
    assert stored is not None
    assert _pixels(stored).shape == (24, 32, 3)


@pytest.mark.parametrize("kind", broken.SOUND)
def test_truncated_pictures_are_refused_or_whole(kind: str):
    data = broken.SOUND[kind]
    whole = _pixels(normalise(data, _LIMIT))
    results = [_stored(start) for start in broken.truncated(data)]
    assert results[0] is None
    assert results.count(None) > 40  # pages, frames and pictures behind the first are no loss
    for stored in filter(None, results):
        np.testing.assert_array_equal(_pixels(stored), whole)


@pytest.mark.parametrize("kind", broken.SOUND)
def test_pictures_with_bytes_changed_are_refused_or_decode_everywhere(kind: str):
    results = [_stored(damaged) for damaged in broken.flipped(broken.SOUND[kind], _COPIES)]
    assert len(results) == _COPIES
    assert None in results


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(_STARTS), st.binary(max_size=2000))
def test_arbitrary_bytes_are_refused_or_a_picture(start: bytes, rest: bytes):
    _stored(start + rest)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(broken.SOUND.values())), st.data())
def test_parts_of_pictures_in_any_order_are_refused_or_a_picture(data: bytes, draw: st.DataObject):
    ends = draw.draw(st.lists(st.integers(0, len(data)), min_size=2, max_size=6))
    parts = [data[start:end] for start, end in itertools.pairwise(ends)]
    _stored(data[: draw.draw(st.integers(0, len(data)))] + b"".join(parts))
