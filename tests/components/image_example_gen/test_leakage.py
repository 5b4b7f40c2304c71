import numpy as np

from components.image_example_gen.found_file import File
from components.image_example_gen.leakage import Leak, find_leaks
from components.image_example_gen.plan import NO_PICTURE, Record

_RNG = np.random.default_rng(0)


def _record(path: str, bits: bytes) -> Record:
    return Record(File(path, "train", "a"), path, NO_PICTURE._replace(perceptual_hash=bits.hex()))


def test_each_held_out_picture_is_listed_once_with_the_training_picture_most_like_it():
    one, other = _RNG.bytes(32), _RNG.bytes(32)
    near = bytes([one[0] ^ 1]) + one[1:]
    splits = {
        "train": [
            _record("first", one),
            _record("second", one),
            _record("third", near),
            _record("fourth", _RNG.bytes(32)),
        ],
        "eval": [_record("same", near), _record("unlike", _RNG.bytes(32)), _record("again", near)],
        "test": [_record("in eval too", other), _record("close", one[:31] + bytes([one[31] ^ 7]))],
    }
    splits["eval"].append(_record("not in train", other))
    assert find_leaks(splits) == [
        Leak("again", "eval", "third", 0),
        Leak("same", "eval", "third", 0),
        Leak("close", "test", "first", 3),
    ]
