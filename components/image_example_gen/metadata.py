"""Tables of labels in a data folder, where Hugging Face's `imagefolder` has them: beside the pictures or their splits.

Standard library only, but for Parquet, so that a command line can refuse a wrong folder before anything slow is loaded.
"""

import os

from common import folders
from common.examples import TRAIN
from components.image_example_gen import split_names, table
from components.image_example_gen.reading import CLASSES, MOST_IN_BETWEEN, Options
from components.image_example_gen.table import Table

_WITHOUT = "no table of labels is in it, as there is in train's folder"


def find(root: str, options: Options) -> tuple[list[tuple[Table, str]], list[tuple[str, str]]]:
    """Finds the table of the folder, or else that of each split's folder.

    Args:
      root: the data folder, absolute.
      options: how to read it.

    Returns:
      The tables, each with the split whose folder it lies in, or ""; none where the folders tell the classes. And the
      split folders that have none, relative to the root, with the reason why they are left out.

    Raises:
      UserError: a folder cannot be listed, or has two tables.
    """
    folder = root
    for _ in range(MOST_IN_BETWEEN):
        if found := table.metadata(folder, options.columns):
            return [(found, "")], []
        inside = [entry.name for entry in folders.entries(folder) if folders.is_dir(entry)]
        inside = [name for name in inside if not folders.is_hidden(name)]
        named = {} if options.layout == CLASSES else split_names.find(inside)
        tables = {name: table.metadata(os.path.join(folder, name), options.columns) for name in named}
        found_of = [(found, named[name]) for name, found in tables.items() if found]
        if any(split == TRAIN for _, split in found_of):
            without = [os.path.join(folder, name) for name in inside if not tables.get(name)]
            return found_of, [(os.path.relpath(path, root), _WITHOUT) for path in without]
        if len(inside) != 1:
            break
        folder = os.path.join(folder, inside[0])
    return [], []
