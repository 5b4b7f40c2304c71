"""Features survive their files."""

import numpy as np
import pytest
import tensorflow as tf

from modeling import features
from modeling.features import ACTIVATIONS, BOTTLENECKS


@pytest.mark.parametrize(("family", "largest"), [(ACTIVATIONS, 65504.0), (BOTTLENECKS, 1e9)])
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_what_the_stored_type_cannot_hold_becomes_its_largest_number(
    family: str, largest: float, dtype: tf.DType
) -> None:
    values = tf.cast([[0.5, -2.0, 1e9, -1e9]], dtype)
    stored = features.stored(family, values).numpy()
    decoded, labels = features.decode(family, tf.constant([features.encode(stored[0], 3, b"ab")]), [4])
    np.testing.assert_allclose(decoded, [[0.5, -2, largest, -largest]], rtol=1e-2)
    assert labels.numpy().tolist() == [3]
