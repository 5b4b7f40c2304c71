"""Converts pictures with a colour profile, such as a phone's Display P3, to sRGB, as the backbones have learnt it."""

import io

import numpy as np
from PIL import Image, ImageCms

_MAX_PROFILE = 4 << 20  # bytes; those of printers have up to three megabytes
# Display P3 and Adobe RGB move some colours by a hundred levels. What moves none by more than this is sRGB by another
# name or gamma, and JPEG itself moves them as far.
_TOLERANCE = 8
_SRGB = ImageCms.createProfile("sRGB")
_PROBE = Image.fromarray(np.stack(np.meshgrid(*[np.arange(0, 256, 51, np.uint8)] * 3), -1).reshape(1, -1, 3))


def is_srgb(image: Image.Image) -> bool:
    """Whether a picture's colours are sRGB: it has no profile, a broken one, or one that says nearly the same."""
    transform = _transform(image, "RGB")
    if transform is None:
        return True
    moved = np.asarray(ImageCms.applyTransform(_PROBE, transform)).astype(int) - np.asarray(_PROBE)
    return int(np.abs(moved).max()) <= _TOLERANCE


def to_srgb(image: Image.Image) -> Image.Image:
    """A picture in sRGB; the same one if it has no profile that can be used, or no colours."""
    mode = "CMYK" if image.mode == "CMYK" else "RGBA" if image.has_transparency_data else "RGB"
    transform = _transform(image, mode)
    if transform is None or (mode != "CMYK" and is_srgb(image)):
        return image
    return ImageCms.applyTransform(image.convert(mode), transform) or image


def _transform(image: Image.Image, mode: str) -> ImageCms.ImageCmsTransform | None:
    profile = image.info.get("icc_profile")
    if image.mode not in ("RGB", "RGBA", "P", "PA", "CMYK") or not profile or len(profile) > _MAX_PROFILE:
        return None
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(opened, _SRGB, mode, "RGB" if mode == "CMYK" else mode)
    except Exception:  # broken, or for other colours than the picture has: every viewer then shows it as it is
        return None
