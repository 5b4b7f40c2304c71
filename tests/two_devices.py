"""An extraction and trainings on two devices: python tests/two_devices.py EXAMPLES FEATURES TRANSFORM_GRAPH FOLDER

TensorFlow learns of the devices before it starts, so they need a process of their own: one for all.
"""

import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parent.parent))

EXTRACTED = "extracted"
COMPARED, RESUMED, UNDISTURBED = "compared", "resumed", "undisturbed"
_EPOCHS = {"solver": "adam", "penalty": None, "epochs": 2, "class_weights": True}
CHANGES: dict[str, dict[str, Any]] = {
    # 68 pictures are four batches of 8 on one device and 7 on the other, and one of 4 and 4. Dropout, of which each
    # device draws its own, would be another than on one.
    COMPARED: {**_EPOCHS, "batch_size": 15, "dropout": 0.0},
    RESUMED: {"batch_size": 34, "schedule": "cosine"},
    UNDISTURBED: {"batch_size": 34, "schedule": "cosine"},
}


def _make_two_devices() -> None:
    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    tf.config.experimental.enable_op_determinism()  # as on GPUs: it also refuses what has no seed


def _extract(examples_uri: str, graph_uri: str, folder: Path) -> None:
    import steps
    from tfx.types.standard_artifacts import Examples

    from components.feature_extractor import executor
    from components.feature_extractor.extractor import Extractor
    from modeling.engines import TENSORFLOW

    examples = Examples()
    examples.uri = examples_uri
    shards = executor._shards(examples, str(folder / EXTRACTED), "train", 0)
    Extractor(executor._settings(graph_uri, {**steps.EXTRACTION, "engine": TENSORFLOW})).extract(shards)


def _train(features_uri: str, graph_uri: str, folder: Path) -> None:
    import steps
    from tfx.types.standard_artifacts import Examples, TransformGraph

    features, graph = Examples(), TransformGraph()
    features.uri, graph.uri = features_uri, graph_uri
    features.split_names = '["train", "eval"]'
    steps.train_until(2, 3, features, graph, folder / RESUMED, **CHANGES[RESUMED])  # in the second epoch
    for name, changes in CHANGES.items():
        steps.train(features, graph, folder / name, **changes)


if __name__ == "__main__":
    _make_two_devices()
    _examples, _features, _graph, _folder = sys.argv[1:]
    _extract(_examples, _graph, Path(_folder))
    _train(_features, _graph, Path(_folder))
