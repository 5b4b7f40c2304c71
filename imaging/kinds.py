"""Tells by their first bytes the files that people keep among pictures and that are not read, and what would help."""

import re

from imaging import tags

_EXPORT = "export it as JPEG, PNG or TIFF"
_VIDEO = "a video, not a picture: extract its frames"
_RAW = f"a camera's RAW file is not read: {_EXPORT}"
_ARCHIVE = "an archive, not a picture: unpack it"
_STARTS = {
    b"\xff\x0a": "JPEG XL is not read: convert it to JPEG or PNG",
    b"\0\0\0\x0cJXL ": "JPEG XL is not read: convert it to JPEG or PNG",
    b"\0\0\0\x0cjP  ": "JPEG 2000 is not read, as its decoder has a known fault: convert it to PNG or TIFF",
    b"\xff\x4f\xff\x51": "JPEG 2000 is not read, as its decoder has a known fault: convert it to PNG or TIFF",
    b"%PDF": "PDF is not read: export its pages as PNG",
    b"%!PS": f"PostScript is not read: {_EXPORT}",
    b"8BPS": f"Photoshop's PSD is not read: {_EXPORT}",
    b"gimp xcf": f"GIMP's XCF is not read: {_EXPORT}",
    b"qoif": "QOI is not read: convert it to PNG",
    b"DDS ": "DDS is not read: convert it to PNG",
    b"icns": "ICNS is not read: convert it to PNG",
    b"\0\0\2\0": "a cursor or TGA file is not read: convert it to PNG",
    b"PF": "colour PFM is not read: convert it to a PNG or TIFF of 8 or 16 bits",
    b"\x76\x2f\x31\x01": "OpenEXR is not read: convert it to a PNG or TIFF of 8 or 16 bits",
    b"#?": "Radiance HDR is not read: convert it to a PNG or TIFF of 8 or 16 bits",
    b"SIMPLE  =": "FITS is not read: convert it to a PNG or TIFF of 8 or 16 bits",
    b"\x93NUMPY": "a NumPy array is not read: save it as a PNG or TIFF of 8 or 16 bits",
    b"\x89HDF": "HDF5 is not read: save its pictures as PNG or TIFF of 8 or 16 bits",
    b"version https://git-lfs": "a Git LFS pointer in place of the file: run git lfs pull",
    b"FUJIFILMCCD-RAW": _RAW,
    b"IIRO": _RAW,
    b"IIRS": _RAW,
    b"MMOR": _RAW,
    b"IIU\0": _RAW,
    b"FOVb": _RAW,
    b"\x1a\x45\xdf\xa3": _VIDEO,
    b"\0\0\1\xba": _VIDEO,
    b"\0\0\1\xb3": _VIDEO,
    b"\x30\x26\xb2\x75": _VIDEO,
    b"FLV\1": _VIDEO,
    b"OggS": _VIDEO,
    b"PK\3\4": _ARCHIVE,
    b"\x1f\x8b": _ARCHIVE,
    b"7z\xbc\xaf": _ARCHIVE,
    b"Rar!": _ARCHIVE,
}
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_HTML = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_SVG = re.compile(rb"\s*<[^\0]*<?svg\b", re.IGNORECASE)
_TEXT = 1024


def why_not_read(data: bytes) -> str | None:
    """Why a file of a known kind is not read, and what would help; None if it is read, or of no kind known here."""
    if data[4:8] == b"ftyp":
        return _of_media(data)
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return _VIDEO
    if data[128:132] == b"DICM":
        return "DICOM is not read: export it as a PNG or TIFF of 8 or 16 bits"
    if tags.is_tiff(data) and (data[8:10] == b"CR" or tags.is_preview(data)):
        return _RAW
    start = data[:_TEXT].removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(start):
        return "an HTML page in place of the file: the download failed, or asks for a login"
    if _SVG.match(start):
        return "SVG is not read: export it as PNG"
    return next((reason for mark, reason in _STARTS.items() if data.startswith(mark)), None)


def is_avif(data: bytes) -> bool:
    """Whether a file says that it can be read as AVIF."""
    return data[4:8] == b"ftyp" and bool({b"avif", b"avis"} & _brands(data))


def _brands(data: bytes) -> set[bytes]:
    """The kinds that a file of the ISO base media format says it can be read as."""
    box = data[8 : min(int.from_bytes(data[:4], "big"), _TEXT)]
    return {box[place : place + 4] for place in range(0, len(box), 4) if place != 4}


def _of_media(data: bytes) -> str | None:
    brands = _brands(data)
    if is_avif(data):
        return None
    if b"crx " in brands:
        return _RAW
    if brands.intersection(_HEIC):
        return "HEIC is not read: convert it to JPEG, or let the phone export it as such"
    return _VIDEO
