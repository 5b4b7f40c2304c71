"""The one graph from bytes to a tensor."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from pictures import Pixels, encode, exif, make_pixels
from PIL import Image, ImageOps
from tfx.types.standard_artifacts import TransformGraph

from modeling.picture_graph import preprocessing_fn


def _run(data: list[bytes], size: int, resize: str = "squash", max_pixels: int = 100_000) -> dict[str, np.ndarray]:
    config = {"image_size": size, "resize": resize, "max_pixels": max_pixels}
    found = preprocessing_fn({"image": tf.constant(data)}, config)
    return {name: values.numpy() for name, values in found.items()}


def _apply(data: list[bytes], size: int, resize: str = "squash") -> np.ndarray:
    return _run(data, size, resize)["picture"]


def test_a_picture_of_the_right_size_keeps_its_pixels() -> None:
    pixels = make_pixels(1, 32, 32)
    np.testing.assert_allclose(_apply([encode(pixels)], 32)[0], pixels, atol=1e-3)


def test_grey_becomes_three_equal_channels_and_sizes_mix_in_a_batch() -> None:
    grey = Image.fromarray(make_pixels(2, 40, 50)).convert("L")
    found = _apply([encode(grey), encode(make_pixels(3, 90, 20), "JPEG")], 32)
    assert found.shape == (2, 32, 32, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0, ..., 0], found[0, ..., 2])
    assert found.min() >= 0
    assert found.max() <= 255


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::4] = 255
    np.testing.assert_allclose(_apply([encode(stripes)], 32)[0, 4:-4, 4:-4], 255 / 4, atol=6)


def _squashed(image: Image.Image, size: int) -> Image.Image:
    return image.resize((size, size), Image.Resampling.BILINEAR)


def _cropped(image: Image.Image, size: int) -> Image.Image:
    return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)


def _padded(image: Image.Image, size: int) -> Image.Image:
    borders = [min(round(size * (1 - side / max(image.size)) / 2), (size - 1) // 2) for side in image.size]
    scaled = image.resize((size - 2 * borders[0], size - 2 * borders[1]), Image.Resampling.BILINEAR)
    assert max(scaled.size) == size
    square = Image.new("RGB", (size, size))
    square.paste(scaled, (borders[0], borders[1]))
    return square


_SHAPES = [(24, 32), (50, 33), (97, 31), (31, 31), (1, 40), (300, 1), (1, 1), (2, 255), (200, 301)]


@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize(("way", "expected"), [("squash", _squashed), ("crop", _cropped), ("pad", _padded)])
def test_each_way_into_a_square_is_pillows(
    way: str, expected: Callable[[Image.Image, int], Image.Image], size: int
) -> None:
    pictures = [make_pixels(index, *shape) for index, shape in enumerate(_SHAPES)]
    found = _apply(list(map(encode, pictures)), size, way)
    for pixels, square in zip(pictures, found, strict=True):
        np.testing.assert_allclose(square, np.asarray(expected(Image.fromarray(pixels), size)), atol=1.01)


@pytest.mark.parametrize("way", ["crop", "pad"])
def test_what_is_cropped_or_padded_is_the_upright_picture(way: str) -> None:
    pixels = make_pixels(7, 33, 50)
    files = [encode(pixels, "JPEG", exif=exif(stated)) for stated in range(1, 9)]
    decoded = tf.io.decode_jpeg(files[0]).numpy()
    upright = [encode(ImageOps.exif_transpose(_with_exif(decoded, stated))) for stated in range(1, 9)]
    np.testing.assert_allclose(_apply(files, 32, way), _apply(upright, 32, way), atol=1e-2)


@pytest.mark.parametrize("size", [24, 32])
def test_turned_pictures_are_those_that_were_turned_before(size: int) -> None:
    files = [encode(make_pixels(7, 24, 24 + 8 * (size > 24)), "JPEG", exif=exif(stated)) for stated in range(1, 9)]
    decoded = tf.io.decode_jpeg(files[0]).numpy()
    upright = [np.asarray(ImageOps.exif_transpose(_with_exif(decoded, stated))) for stated in range(1, 9)]
    found, expected = _apply(files, size), _apply(list(map(encode, upright)), size)
    np.testing.assert_allclose(found, expected, atol=0 if size == 24 else 1e-3)
    assert np.abs(found[1:] - found[0]).max(axis=(1, 2, 3)).min() > 20


def test_each_picture_that_cannot_be_used_has_its_reason_and_the_others_their_pixels() -> None:
    good = encode(make_pixels(1, 32, 32))
    large = good[:16] + struct.pack(">II", 1000, 101) + good[24:]
    jpeg = encode(make_pixels(1, 400, 400), "JPEG")
    line = encode(make_pixels(1, 1, 5057))
    data = [b"", b"no picture", b"GIF89a" + good, good[:20], good[:60], jpeg[:20], large, jpeg, line, good]
    found = _run(data, 32)
    other, damaged, too_many = b"neither JPEG nor PNG", b"truncated or damaged", b"more than 100000 pixels"
    too_long = b"a side of more than 5056 pixels"
    assert found["error"].tolist() == [other] * 3 + [damaged] * 3 + [too_many] * 2 + [too_long, b""]
    assert not found["picture"][:-1].any()
    np.testing.assert_array_equal(found["picture"][-1], _apply([good], 32)[0])


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("sides", [(901, 1203), (515, 513), (129, 447), (601, 257)])
def test_a_jpeg_decoded_to_fewer_pixels_lies_where_the_whole_one_does(sides: tuple[int, int], resize: str) -> None:
    """Ramps, red down and green across, at ratios of 8, 8, 2 and 4."""
    down, across = (np.linspace(20, 235, side) for side in sides)
    ramps = np.stack(np.broadcast_arrays(down[:, None], across, 128.0), axis=-1).astype(np.uint8)
    file, turned = (encode(ramps, "JPEG", quality=95, exif=exif(stated)) for stated in (1, 6))
    whole = encode(tf.io.decode_jpeg(file).numpy())
    found, expected, on_its_side = _run([file, whole, turned], 32, resize, max_pixels=2_000_000)["picture"]
    np.testing.assert_array_equal(found.any(axis=-1), expected.any(axis=-1))
    # Whole blocks are rounded down and come out darker everywhere. A shift grows from one edge to the other.
    assert np.abs(found - expected).mean() < 1.5
    drifts = (
        (found - expected)[-9:-1] - (found - expected)[1:9],
        (found - expected)[:, -9:-1] - (found - expected)[:, 1:9],
    )
    if resize == "squash":
        assert [abs(drift[..., channel].mean()) < 0.3 for channel, drift in enumerate(drifts)] == [True, True]
    np.testing.assert_allclose(on_its_side, np.rot90(found, -1), atol=1e-3)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_decoded_to_fewer_pixels_is_found_truncated_as_a_whole_one_is(progressive: bool) -> None:
    file = encode(make_pixels(3, 300, 280), "JPEG", progressive=progressive)
    data = [file[: len(file) - cut] for cut in (1, 2, 3, 10, 500, len(file) - 700)]
    reduced, whole = (_run(data, size) for size in (32, 200))
    assert reduced["error"].tolist() == whole["error"].tolist()
    assert set(reduced["error"][3:]) == {b"truncated or damaged"}
    assert not reduced["picture"][3:].any()


def _with_exif(pixels: Pixels, stated: int) -> Image.Image:
    return Image.open(io.BytesIO(encode(pixels, exif=exif(stated))))


def test_the_saved_graph_does_what_the_function_does(transform_graph: TransformGraph) -> None:
    data = [encode(make_pixels(5, 48, 64)), encode(make_pixels(6, 20, 20), "JPEG")]
    layer = tft.TFTransformOutput(transform_graph.uri).transform_features_layer()
    saved = layer({"image": tf.constant(data)})["picture"].numpy()
    np.testing.assert_allclose(saved, _apply(data, 32), atol=1e-3)
