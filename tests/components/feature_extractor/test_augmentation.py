"""A view depends on its picture, its number and the seed, and on nothing else."""

import numpy as np
import tensorflow as tf

from components.feature_extractor import augmentation
from components.feature_extractor.augmentation import Augmentation

ALL = Augmentation(flip=True, rotation=0.05, zoom=0.1)
NONE = Augmentation(flip=False, rotation=0.0, zoom=0.0)
HASHES = [b"00ff" * 16, b"a1b2" * 16, b"1234" * 16]


def _pictures() -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 255, (3, 24, 32, 3)).astype(np.float32)


def augment(pictures: np.ndarray, sha256s: list[bytes], view: int, seed: int, limits: Augmentation) -> np.ndarray:
    return augmentation.augment(pictures, tf.constant(sha256s), view, seed, limits).numpy()


def test_no_limits_change_nothing() -> None:
    np.testing.assert_allclose(augment(_pictures(), HASHES, 0, 0, NONE), _pictures(), atol=1e-3)


def test_flip_alone_mirrors_about_half_of_the_views_exactly() -> None:
    picture = _pictures()[:1]
    mirrored = picture[:, :, ::-1]
    kinds = []
    for view in range(40):
        found = augment(picture, HASHES[:1], view, 0, Augmentation(True, 0.0, 0.0))
        kinds.append(np.allclose(found, mirrored, atol=1e-2))
        assert kinds[-1] or np.allclose(found, picture, atol=1e-2)
    assert 10 <= sum(kinds) <= 30


def test_a_view_does_not_depend_on_the_batch_it_comes_in() -> None:
    together = augment(_pictures(), HASHES, 1, 7, ALL)
    alone = augment(_pictures()[2:], HASHES[2:], 1, 7, ALL)
    np.testing.assert_array_equal(together[2:], alone)


def test_views_seeds_and_pictures_differ() -> None:
    base = augment(_pictures(), HASHES, 0, 0, ALL)
    assert not np.allclose(base, augment(_pictures(), HASHES, 1, 0, ALL))
    assert not np.allclose(base, augment(_pictures(), HASHES, 0, 1, ALL))
    assert not np.allclose(base, augment(_pictures(), HASHES[::-1], 0, 0, ALL))


def test_values_and_shape_stay_and_the_centre_stays_in_place() -> None:
    picture = np.zeros((1, 33, 33, 3), np.float32)
    picture[:, 13:20, 13:20] = 255
    for view in range(10):
        found = augment(picture, HASHES[:1], view, 0, ALL)
        assert found.shape == picture.shape
        assert found.dtype == np.float32
        assert found.min() >= 0
        assert found.max() <= 255
        assert found[0, 16, 16, 0] > 250, "rotation and zoom are about the centre"
        assert found[0, 0, 0, 0] < 5


def test_rotation_keeps_within_its_limit() -> None:
    """A line through the centre turns by at most 0.05 of a turn, 18 degrees, to either side."""
    picture = np.zeros((1, 65, 65, 3), np.float32)
    picture[:, :, 32] = 255
    turned = []
    for view in range(30):
        found = augment(picture, HASHES[:1], view, 0, Augmentation(False, 0.05, 0.0))[0, 8, :, 0]
        turned.append(np.degrees(np.arctan2(float(found.argmax()) - 32, 24)))
    assert max(np.abs(turned)) <= 18 + 2
    assert max(turned) > 8, "most of the range is used"
    assert min(turned) < -8, "in both directions"
