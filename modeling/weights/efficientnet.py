"""EfficientNetB0 to B7: with ImageNet weights Keras gives them a layer that they lack without weights.

Their kernels were trained on pictures divided by the variance, which `Normalization` takes the root of; so a
`Rescaling` after it divides by the root of the standard deviation. The same numbers in a model without that layer need
a variance that makes up for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

# Where a file of weights has a place for that layer, it holds those of a model that Keras made with ImageNet weights.
RESCALING = "layers/rescaling_1"

_STDDEV_RGB = (0.229, 0.224, 0.225)  # ImageNet's, of pixels from 0 to 1


def is_one(name: str) -> bool:
    """Whether a class of `keras.applications` is one of these."""
    return name.startswith("EfficientNetB")


def fold_rescaling(backbone: keras.Model) -> None:
    """Makes the backbone's normalisation do what that layer does.

    Args:
      backbone: built without weights, then filled with those of a model that has the layer.
    """
    import keras

    (normalization,) = (layer for layer in backbone.layers if isinstance(layer, keras.layers.Normalization))
    mean, variance, count = normalization.get_weights()
    normalization.set_weights([mean, np.multiply(variance, _STDDEV_RGB), count])
    # The layer computes with constants that it made of its weights when it was built.
    normalization.finalize_state()
