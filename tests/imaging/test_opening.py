import io
import os
import subprocess
import sys
import time
import tracemalloc

import broken
import numpy as np
import pytest
from pictures import encode, exif, make_pixels
from PIL import Image, ImageFile

from imaging.normalising import Refused, examine, normalise

pytestmark = pytest.mark.filterwarnings("ignore")  # of Pillow, about what is broken

_LIMIT = 40_000
_MEMORY = 100 << 20  # bytes; what the files ask for is more
_SECONDS = 5.0


class _Cost:
    """Fails where a piece of work takes much memory or time."""

    def __enter__(self) -> None:
        tracemalloc.start()
        self._start = time.process_time()

    def __exit__(self, *exception: object) -> None:
        seconds, (_, peak) = time.process_time() - self._start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < _MEMORY
        assert seconds < _SECONDS


@pytest.mark.parametrize("name", broken.GREEDY_REFUSED)
def test_files_that_cost_more_than_their_pixels_are_refused(name: str):
    data, reason = broken.GREEDY_REFUSED[name]
    with _Cost(), pytest.raises(Refused) as refused:
        examine(data, _LIMIT)
    assert str(refused.value) == reason


def test_a_line_of_pixels_is_refused_that_a_resize_would_take_much_memory_for():
    assert examine(encode(make_pixels(0, 1, 3200)), _LIMIT)[:2] == (1, 3200)
    with pytest.raises(Refused, match=r"^a side of more than 3200 pixels$"):
        examine(encode(make_pixels(0, 3201, 1)), _LIMIT)


def test_other_pictures_of_the_process_are_opened_as_before():
    others = Image.MAX_IMAGE_PIXELS
    examine(encode(make_pixels(0, 24, 32)), _LIMIT)
    with pytest.raises(Refused):
        examine(encode(make_pixels(0, 24, 32)), 100)
    assert others == Image.MAX_IMAGE_PIXELS


def test_a_tiff_of_more_pixels_than_pillow_allows_is_used_where_the_limit_allows_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert examine(encode(make_pixels(0, 24, 32), "TIFF"), _LIMIT)[:2] == (24, 32)


@pytest.mark.parametrize("name", broken.GREEDY_USED)
def test_what_costs_much_beside_the_picture_is_left_unread(name: str):
    with _Cost():
        picture = examine(broken.GREEDY_USED[name], _LIMIT)
    assert picture[:2] == (24, 32)


def test_a_picture_with_much_beside_it_is_used():
    tags = {
        700: (1, 400_000, broken.TIFF_BODY),  # XMP
        34675: (7, 300_000, broken.TIFF_BODY + 400_000),  # colour profile
        37724: (7, 900_000, broken.TIFF_BODY + 700_000),  # layers
        0x8769: (4, 1, broken.TIFF_BODY + 1_600_000),
    }
    body = bytes(1_600_000) + broken.directory({37500: (7, 300_000, 0)})  # maker note
    assert examine(broken.tiff(tags, body), _LIMIT)[:2] == (24, 32)
    assert examine(broken.png_with((b"tEXt", b"a\0" + bytes(900_000))), _LIMIT).as_stored


def test_a_film_behind_a_picture_is_no_crowd_of_scans():
    film = np.random.default_rng(0).integers(0, 256, 5 << 20).astype(np.uint8).tobytes()
    assert film.count(b"\xff\xda") > 50
    assert examine(broken.SOUND["progressive jpeg"] + film, 1_000_000).as_stored


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {"exif": exif(6)}),
        ("MPO", {"exif": exif(6), "save_all": True, "append_images": [Image.new("RGB", (5, 5))]}),
        ("WEBP", {"exif": exif(6), "lossless": True}),
        ("WEBP", {"xmp": b'<x tiff:Orientation="6"/>', "lossless": True}),
    ],
)
def test_exif_and_xmp_data_turn_a_picture(format: str, options: dict[str, object]):
    pixels = make_pixels(0)
    data = encode(pixels, format, **options)
    upright = np.asarray(Image.open(io.BytesIO(data)).convert("RGB").transpose(Image.Transpose.ROTATE_270))
    stored = normalise(data, _LIMIT, upright=True)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stored))), upright)


def test_exif_data_as_text_turn_a_png():
    text = b"Raw profile type exif\0\nexif\n26\n" + exif(6).tobytes().hex().encode()
    assert examine(broken.png_with((b"tEXt", text)), _LIMIT)[:2] == (32, 24)


@pytest.mark.parametrize("block", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"no EXIF data"])
def test_broken_exif_data_leave_a_picture_as_it_is(block: bytes):
    assert examine(broken.jpeg_with((0xE1, b"Exif\0\0" + block)), _LIMIT).as_stored


def test_truncated_pictures_are_not_filled_up():
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.slow
def test_nothing_is_said_on_the_screen():
    # In a process of its own, as the tests have filters of their own for warnings.
    program = (
        "import sys, broken\n"
        "from imaging.normalising import Refused, examine\n"
        "examine(broken.SOUND['jpeg'], 10_000)\n"
        "print('ready', file=sys.stderr)\n"
        "for data in (*broken.SOUND.values(), broken.tiff({277: (3, 1, 99)}), broken.png_with((b'acTL', bytes(8))),\n"
        "             broken.jpeg_with((0xE1, b'Exif\\0\\0II*\\0\\x08\\0\\0\\0\\xff\\xff'))):\n"
        "    for limit in (600, 10_000):\n"
        "        try:\n"
        "            examine(data, limit)\n"
        "        except Refused:\n"
        "            pass\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), os.path.dirname(broken.__file__)])}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr.partition("ready\n")[2]) == ("", "")
