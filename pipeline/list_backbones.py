"""Lists the backbones: what each costs, and whether its ImageNet weights are on this machine.

    python -m pipeline backbones

Nothing is built or downloaded: the figures are those of `modeling.backbone_names`.
"""

import argparse

from common.errors import UserError
from modeling import weights
from modeling.backbone_names import BACKBONES, Backbone
from pipeline.command import BAD_INPUT, DONE, Command
from pipeline.screen import Screen

_HEADINGS = ("name", "size", "least", "parameters", "GFLOPs", "layers", "fine_tune_at", "ImageNet weights")
_EXPLANATION = """
size          side in pixels of the pictures that the ImageNet weights were trained on; least: of the smallest it takes
parameters    in millions; like GFLOPs and layers, without the classifier
GFLOPs        billions of operations for a picture of that size, two per multiply-add of convolutions and dense layers
fine_tune_at  first layer that stage 2 trains, by default
weights       where they are on this machine; after a dash, the file that the first run downloads into {folder}"""


def _list(options: argparse.Namespace) -> int:
    screen = Screen()
    rows = [_HEADINGS, *(_row(name, backbone) for name, backbone in BACKBONES.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *figures, where in rows:
        aligned = (f"{figure:>{width}}" for figure, width in zip(figures, widths[1:-1], strict=True))
        screen.line("  ".join((f"{name:<{widths[0]}}", *aligned, where)))
    screen.line(_EXPLANATION.format(folder=weights.keras_file("VGG16", 224).parent))
    return DONE


def _row(name: str, backbone: Backbone) -> tuple[str, ...]:
    figures = (
        backbone.picture_size,
        backbone.least_size,
        f"{backbone.parameters / 1e6:.1f}",
        f"{backbone.gflops:g}",
        backbone.layers,
        backbone.fine_tune_at,
    )
    return name, *map(str, figures), _weights(name, backbone.picture_size)


def _weights(name: str, size: int) -> str:
    file = weights.keras_file(name, size).name
    try:
        return weights.at_hand(name, size) or f"- {file}"
    except UserError:
        return f"damaged: {file}"


COMMAND = Command(
    name="python -m pipeline.list_backbones",
    doc=__doc__,
    add_arguments=lambda parser: None,
    run=_list,
    codes={DONE: "listed", BAD_INPUT: "bad usage"},
)
main = COMMAND.main


if __name__ == "__main__":
    COMMAND.end_process()
