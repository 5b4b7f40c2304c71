"""What may be wrong with the data, as DataAudit writes it and later steps read it: names of tables, and counts.

Each table is as `common.csv_tables` writes it, the most suspicious picture first.
"""

from typing import TYPE_CHECKING, NamedTuple

from common import counts

if TYPE_CHECKING:
    from tfx.types import Artifact

LABEL_ISSUES_FILE, OUTLIERS_FILE, NEAR_DUPLICATES_FILE = "label_issues.csv", "outliers.csv", "near_duplicates.csv"
ODD_PICTURES_FILE = "odd_pictures.csv"
MOST_SHOWN = 24  # rows of each table that have thumbnails


class IssueCounts(NamedTuple):
    """How many rows each table has. The fields are custom properties of the artifact.

    Attributes:
      label_issues: pictures whose label looks wrong.
      outliers: pictures of train and eval that are like no other.
      near_duplicates: pairs of pictures of train and eval that are all but the same.
      odd_pictures: blank, blurred, dark, bright, small, wide and tall ones, of all splits.
    """

    label_issues: int
    outliers: int
    near_duplicates: int
    odd_pictures: int

    def write(self, data_issues: "Artifact") -> None:
        """Sets the custom properties."""
        counts.write(data_issues, self._asdict())

    @classmethod
    def read(cls, data_issues: "Artifact") -> "IssueCounts":
        """Gets them."""
        return cls(**counts.read(data_issues, cls._fields))
