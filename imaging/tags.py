"""The tags of a TIFF file, or of an EXIF block, which is one: what they claim, without reading it.

Pillow reads each tag's values from wherever the tag says they lie. Tens of thousands of tags may claim the same
megabyte, and one tag millions of numbers: a file of some hundred kilobytes then takes gigabytes.
"""

import contextlib
import itertools
import struct
from collections.abc import Iterator
from typing import Literal, NamedTuple

# Bytes of a value by its type, as Pillow knows them; it skips tags of other types.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_BYTES = (1, 2, 7)
_BLOBS = (700, 33723, 34377, 34675, 37500, 37724)  # XMP, IPTC, Photoshop, colour profile, maker note, layers
_DIRECTORIES = (0x8769, 0x8825, 0xA005)  # of EXIF, GPS and interoperability
_TILE = (322, 323)  # width, length
_MAX_TAGS = 4096
_MAX_NUMBERS = 1 << 18  # of one tag: enough for a strip a row, or for tiles of 16x16 pixels
_MIN_TILE = 1 << 20
_SUBFILE, _BITS, _SAMPLES, _FORMAT, _DNG_VERSION = 254, 258, 277, 339, 50706
_FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point"}

_Order = Literal["little", "big"]


class _Tag(NamedTuple):
    number: int
    kind: int
    values: int
    size: int  # of all values, in bytes
    value: int  # the first one, if a number


def is_tiff(data: bytes) -> bool:
    """Whether a file's bytes begin like a TIFF file's."""
    return data[:2] in (b"II", b"MM")


def are_plausible(data: bytes, max_pixels: int = 0) -> bool:
    """Whether the tags claim no more bytes than the data can hold, and no more numbers or larger tiles than is usual.

    Args:
      data: a TIFF file, or an EXIF block without the "Exif" before it.
      max_pixels: most pixels of a tile; a million are always allowed.
    """
    tags = list(itertools.islice(_tags(data), _MAX_TAGS + 1))
    width, length = (max((tag.value for tag in tags if tag.number == side), default=0) for side in _TILE)
    return (
        len(tags) <= _MAX_TAGS
        and sum(tag.size for tag in tags) <= 2 * len(data)
        and all(tag.values <= _MAX_NUMBERS or (tag.number in _BLOBS and tag.kind in _BYTES) for tag in tags)
        and width * length <= max(max_pixels, _MIN_TILE)
    )


def are_unique(data: bytes) -> bool:
    """Whether each tag of a TIFF file's first directory comes once.

    Of several, Pillow takes the last, and libtiff, which decodes for it, the first: before version 13 Pillow then reads
    behind the end of a tile, and memory of this process becomes part of the picture, or the process ends.

    Args:
      data: a TIFF file whose tags are plausible.
    """
    order, wide, start = _header(data)
    numbers: list[int] = []
    with contextlib.suppress(struct.error, OverflowError):
        numbers.extend(tag.number for tag in _directory(data, start, order, wide))
    return len(set(numbers)) == len(numbers)


def is_preview(data: bytes) -> bool:
    """Whether a TIFF file's first picture is said to be a smaller copy, or a sensor's, as in cameras' RAW files."""
    first = _first_numbers(data)
    return _DNG_VERSION in first or first.get(_SUBFILE, 0) & 1 == 1


def samples(data: bytes) -> str:
    """What a TIFF file's first directory says of its samples, such as "3 floating-point samples of 32 bits".

    Args:
      data: a TIFF file whose tags are plausible.
    """
    first = _first_numbers(data)
    count, kind = first.get(_SAMPLES, 1), _FORMATS.get(first.get(_FORMAT, 1), "unusual")
    return f"{count} {kind} sample{'s' * (count != 1)} of {first.get(_BITS, 1)} bits"


def _first_numbers(data: bytes) -> dict[int, int]:
    """The first number of each tag of a TIFF file's first directory."""
    order, wide, start = _header(data)
    with contextlib.suppress(struct.error, OverflowError):
        tags = itertools.islice(_directory(data, start, order, wide), _MAX_TAGS)
        return {tag.number: tag.value for tag in tags}
    return {}


def _header(data: bytes) -> tuple[_Order, bool, int]:
    """The order of bytes, whether it is a BigTIFF, and where the first directory begins."""
    order: _Order = "little" if data[:1] == b"I" else "big"
    wide = data[2:3] == b"+"
    return order, wide, int.from_bytes(data[8:16] if wide else data[4:8], order)


def _tags(data: bytes) -> Iterator[_Tag]:
    """The tags of the first directory and of those below it, as far as Pillow follows them."""
    order, wide, first = _header(data)
    starts = [first]
    for start in starts:
        # The end of the data, or of all that can be addressed, ends a directory and not the others.
        with contextlib.suppress(struct.error, OverflowError):
            for tag in _directory(data, start, order, wide):
                yield tag
                if tag.number in _DIRECTORIES and tag.value not in starts:
                    starts.append(tag.value)


def _directory(data: bytes, start: int, order: _Order, wide: bool) -> Iterator[_Tag]:
    """A directory's tags, up to the first whose values run past the end of the data.

    Raises:
      struct.error, OverflowError: the data end before the directory does.
    """
    mark = "<" if order == "little" else ">"
    length, entry = struct.Struct(mark + ("Q" if wide else "H")), struct.Struct(mark + ("HHQ8s" if wide else "HHL4s"))
    (entries,) = length.unpack_from(data, start)
    for index in range(entries):
        number, kind, values, value = entry.unpack_from(data, start + length.size + index * entry.size)
        size = values * _SIZES.get(kind, 0)
        if size > len(value):
            offset = int.from_bytes(value, order)
            if offset + size > len(data):
                return
            value = data[offset : offset + 8]
        yield _Tag(number, kind, values, size, int.from_bytes(value[: min(size, _SIZES.get(kind, 0))], order))
