"""The files that FeatureExtractor writes and Trainer reads."""

import dataclasses
import json
from pathlib import Path

from modeling.features import FeaturesInfo


def test_features_from_before_there_were_engines_are_tensorflows(tmp_path: Path) -> None:
    info = FeaturesInfo("VGG16", 32, 15, 14, {}, 1, {}, "float32", "random", "", "", "tensorflow")
    stored = dataclasses.asdict(info)
    del stored["engine"]
    (tmp_path / "features.json").write_text(json.dumps(stored))
    assert FeaturesInfo.read(str(tmp_path)) == info
