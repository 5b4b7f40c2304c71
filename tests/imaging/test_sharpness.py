"""Sharpness falls with blur, is that of the picture and not of its size, and 0 where there is nothing to see."""

import numpy as np
import pytest
from pictures import make_scene
from PIL import Image, ImageFilter
from scipy import ndimage

from imaging import sharpness

_SCENE = make_scene(0).convert("L")


def test_it_is_the_variance_of_the_laplacian() -> None:
    small = _SCENE.resize((100, 80))
    laplacian = ndimage.laplace(np.asarray(small) / 255)[1:-1, 1:-1]
    assert sharpness.measure(small) == pytest.approx(laplacian.var(), rel=1e-4)


def test_blur_lowers_it() -> None:
    found = [sharpness.measure(_SCENE.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 1, 2, 4)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0] / 20


def test_a_larger_copy_of_a_picture_is_as_sharp() -> None:
    small = _SCENE.resize((256, 192))
    large = small.resize((4 * 256, 4 * 192), Image.Resampling.NEAREST)
    assert sharpness.measure(large) == pytest.approx(sharpness.measure(small), rel=1e-3)


@pytest.mark.parametrize("size", [(300, 200), (1, 1), (2, 900), (5000, 1), (3, 3)])
def test_a_picture_of_one_colour_has_none_whatever_its_size(size: tuple[int, int]) -> None:
    assert sharpness.measure(Image.new("L", size, 77)) == 0
