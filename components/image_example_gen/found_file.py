"""What is known of a file of a data set from its listing alone."""

from typing import NamedTuple


class File(NamedTuple):
    """One file that was found, or that a table lists.

    Attributes:
      path: relative to the root, with slashes.
      split: the split whose folder it is in, or that the table gives it; "train" where there are no splits.
      class_name: the class whose folder it is in, or that the table gives it; empty for none.
      problem: why it cannot be a picture of its class, without a look inside; empty where it may be one.
      group: of pictures that must not be in different splits; empty for none.
    """

    path: str
    split: str
    class_name: str
    problem: str = ""
    group: str = ""

    @property
    def identity(self) -> str:
        """All that a data set says of the file, as one text."""
        return "\0".join((self.path, self.split, self.class_name, self.group))
