"""The classifier: preprocessing, backbone, and a head on its feature maps."""

import keras


def build_head(channels: int, classes: int, dropout: float, hidden: int = 0) -> keras.Model:
    """Dropout, a hidden layer if asked for, and softmax on bottlenecks.

    Args:
      channels: length of a bottleneck.
      classes: number of classes.
      dropout: fraction of a bottleneck's values that training drops.
      hidden: units of the hidden layer, ReLU; 0 for none.

    Returns:
      Model: float32 [batch, channels] -> probabilities, float32 [batch, classes].
    """
    bottleneck = keras.Input((channels,), name="bottleneck")
    # float32 whatever the policy: a softmax in bfloat16 has two digits.
    outputs = keras.layers.Dropout(dropout, name="dropout", dtype="float32")(bottleneck)
    if hidden:
        outputs = keras.layers.Dense(hidden, activation="relu", name="hidden", dtype="float32")(outputs)
    outputs = keras.layers.Dense(classes, activation="softmax", name="probabilities", dtype="float32")(outputs)
    return keras.Model(bottleneck, outputs, name="head")


def on_feature_maps(features: keras.Model, head: keras.Model, name: str) -> keras.Model:
    """A model that averages feature maps over their positions and classifies the result.

    Args:
      features: model whose output is a feature map, [batch, height, width, channels].
      head: as `build_head` returns it; shared, not copied.
      name: name of the new model.

    Returns:
      Model from the input of `features` to probabilities, float32 [batch, classes].
    """
    pooled = keras.layers.GlobalAveragePooling2D(name="pooling", dtype="float32")(features.output)
    return keras.Model(features.input, head(pooled), name=name)
