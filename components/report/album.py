"""Pictures of the test split, found by their hashes, and as a page can hold them."""

import base64
import io
import sys
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from common import example_records
from common.examples import IMAGE
from imaging import orientation
from modeling import picture_graph

_SIDE = 192  # pixels


class Photo(NamedTuple):
    """A test picture.

    Attributes:
      file_name: relative to the data folder, printable.
      image: an encoded JPEG or PNG, as ImageExampleGen stores it.
    """

    file_name: str
    image: bytes

    @property
    def uri(self) -> str:
        """A small copy, upright, as a data URI."""
        stored = tf.io.decode_image(self.image, channels=3, expand_animations=False)
        return data_uri(orientation.turn(stored, orientation.of(self.image)).numpy())


def find(examples: str, split: str, sha256s: Collection[str]) -> dict[str, Photo]:
    """Reads through a split and keeps the pictures that are asked for.

    Args:
      examples: folder of the examples.
      split: its name.
      sha256s: hashes of the pictures' files, hexadecimal.
    """
    return {
        example.sha256: Photo(example.file_name, example.image)
        for example in example_records.read(examples, split)
        if example.sha256 in sha256s
    }


def as_the_model_sees(photos: list[Photo], image_size: int, resize: str) -> npt.NDArray[np.float32]:
    """Pictures through the graph that training and serving apply: float32 [pictures, size, size, 3], RGB, 0 to 255."""
    images = tf.constant([photo.image for photo in photos])
    config = {"image_size": image_size, "resize": resize, "max_pixels": sys.maxsize}
    return picture_graph.preprocessing_fn({IMAGE: images}, config)[picture_graph.PICTURE].numpy()


def data_uri(pixels: npt.NDArray[np.generic]) -> str:
    """A small JPEG, of at most 192 pixels a side, for the `src` of an image.

    Args:
      pixels: [height, width, 3], RGB, 0 to 255.
    """
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    image.thumbnail((_SIDE, _SIDE))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=80)
    return jpeg_uri(encoded.getvalue())


def stored(path: str) -> str:
    """The data URI of a JPEG file; empty where there is none."""
    if not tf.io.gfile.exists(path):
        return ""
    with tf.io.gfile.GFile(path, "rb") as file:
        return jpeg_uri(file.read())


def jpeg_uri(data: bytes) -> str:
    """A JPEG file as a data URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
