"""One backbone of each module of `keras.applications` that the pipeline supports: the first listed, the smallest."""

from modeling.backbone_names import BACKBONES

FAMILIES = list({backbone.module: name for name, backbone in reversed(BACKBONES.items())}.values())[::-1]
