"""Which files of a folder without classes are predicted.

Imports nothing heavy, so that a command line can refuse a wrong folder before TensorFlow is loaded.
"""

from common import folders
from common.errors import UserError
from modeling.prediction_formats import File


def find(root: str) -> list[File]:
    """Finds the files at any depth, but for those that `folders.is_hidden`; links are followed where they stay inside.

    Args:
      root: the folder.

    Returns:
      Every file, its path relative to the folder, by folder and name; a link that leaves has its problem.

    Raises:
      UserError: the folder is missing or empty, or cannot be listed.
    """
    root = folders.check(root, "infer folder", expected="a folder of pictures")
    files = [File(path, problem) for path, problem in folders.walk(root, "") if problem != folders.HIDDEN]
    if not files:
        raise UserError(f"infer folder {root!r} holds no file; expected pictures, at any depth")
    return files
