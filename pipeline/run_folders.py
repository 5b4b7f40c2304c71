"""What can be told of the folders that a run reads and writes before anything is loaded."""

import os
from collections.abc import Collection, Mapping
from pathlib import PurePath

from common.errors import UserError
from components.image_example_gen import layout
from pipeline.config import Config


def of_pictures(config: Config) -> dict[str, str]:
    """The folders of pictures that a run reads, as they are given, by their settings."""
    folders = {"data": config.data, "infer": config.infer}
    return {setting: folder for setting, folder in folders.items() if folder is not None}


def check_apart(option: str, output: str, pictures: Mapping[str, str], inside: Collection[str] = ()) -> None:
    """Makes sure that a run does not write where it reads pictures.

    Args:
      option: how the output folder is given, for messages.
      output: the folder that the run writes to; absolute, links resolved.
      pictures: folders that it reads, by their settings; absolute, links resolved.
      inside: the folders in `output` that are the run's own; a folder of pictures may be beside them.

    Raises:
      UserError: one lies in the other.
    """
    for setting, folder in pictures.items():
        own = next((name for name in inside if _is_in(folder, os.path.join(output, name))), None)
        if own is not None:
            raise UserError(
                f"{setting}: {folder!r} lies in the folder {own!r} of {option} {output!r}, which is the run's own; "
                f"expected pictures elsewhere"
            )
        if _is_in(output, folder):
            raise UserError(
                f"{option}: {output!r} lies in {folder!r}, the folder of {setting}, "
                f"where what the run writes would be taken for pictures; expected a folder elsewhere"
            )


def check_data(config: Config, data: str) -> layout.Layout:
    """Makes sure that a data folder can be what the settings take it for.

    Args:
      config: the settings.
      data: the folder, or a table.

    Returns:
      What it holds.

    Raises:
      UserError: it is missing, is laid out otherwise, or lacks test pictures of a class that the gate looks at.
    """
    found = layout.find(*layout.arguments({"data": data, **config.ingest.model_dump()}))
    layout.check_tested(found, config.gate.slices, "gate.slices", "leave the class out of gate.slices")
    if config.gate.min_class_accuracy is not None:
        way_out = "set gate.min_class_accuracy to null"
        layout.check_tested(found, found.classes, "gate.min_class_accuracy", way_out)
    return found


def _is_in(path: str, folder: str) -> bool:
    return PurePath(path).is_relative_to(folder)
