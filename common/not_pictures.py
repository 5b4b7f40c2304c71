"""Files that lie beside pictures and are none: annotations, lists, notes, arrays, archives.

Standard library only, so that a command line can count them before anything slow is imported.
"""

import os
import re

_NAMED_SO = re.compile(
    r"(.*\.(7z|aac|aae|avi|bz2|cfg|csv|db|docx?|dvc|gz|h5|hdf5|html?|ini|ipynb|js|jsonl?|lnk|log|m|mat|md|mkv|mov|mp3|mp4"
    r"|np[yz]|parquet|pbtxt|pkl|pth?|py|rar|rst|sh|sqlite|srt|tar|tfrecord|tgz|toml|tsv|txt|url|wav|xlsx?|xml|xmp|xz"
    r"|ya?ml|zip)|copying|license|makefile|readme)",
    re.IGNORECASE | re.DOTALL,
)
_PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\1\0", b"P4\n", b"P5\n", b"P6\n")
_AVIF = (b"ftypavif", b"ftypavis")


def is_named_so(name: str) -> bool:
    """Whether a file's name says that it is no picture, such as `list.txt` or `README`."""
    return bool(_NAMED_SO.fullmatch(name))


def is_one(path: str) -> bool:
    """Whether a file is named so and does not begin like a picture: the content decides, where a name is wrong."""
    if not is_named_so(os.path.basename(path)):
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return True
    is_bmp = start[:2] == b"BM" and start[6:10] == bytes(4)
    is_webp = start[:4] == b"RIFF" and start[8:] == b"WEBP"
    return not (start.startswith(_PICTURE_STARTS) or is_bmp or is_webp or start[4:] in _AVIF)
