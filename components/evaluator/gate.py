"""What the gate asks of the classes, by their ids.

Not by thresholds of TFMA, which reads a slice's value that looks like a number as one: `1` and `01` are the same to it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from common import escaping
from common.errors import UserError
from modeling.evaluations import OVERALL, Check, check

_UNTESTED = "the test split holds no picture of "


def check_names(slices: Mapping[str, float], classes: Sequence[str]) -> None:
    """Raises UserError where `slices`, as in `EvaluatorSpec`, names an unknown class."""
    unknown = sorted(set(slices) - set(classes))
    if unknown:
        raise UserError(f"gate.slices: {unknown[0]!r} is not a class; expected one of {', '.join(map(repr, classes))}")


def checks(
    matrix: npt.NDArray[np.int64],
    classes: Sequence[str],
    slices: Mapping[str, float],
    min_balanced_accuracy: float | None,
    min_class_accuracy: float | None,
) -> list[Check]:
    """What was measured of the classes, and whether it is enough.

    A class without test pictures fails what is asked of it, or of each class; the mean is that of the other classes.

    Args:
      matrix: as in `run_warnings.of_classes`.
      classes: names by class id.
      slices: as in `EvaluatorSpec`, like the next two.
      min_balanced_accuracy: as in `EvaluatorSpec`.
      min_class_accuracy: as in `EvaluatorSpec`.
    """
    pictures = matrix.sum(axis=1)
    accuracies = np.diag(matrix) / np.maximum(pictures, 1)
    found = []
    if min_balanced_accuracy is not None:
        mean = float(accuracies[pictures > 0].mean())
        found.append(check("balanced_accuracy", OVERALL, mean, min_balanced_accuracy))
    if min_class_accuracy is not None:
        untested = [name for name, count in zip(classes, pictures, strict=True) if not count]
        # An untested class comes before one that is never right.
        worst = int(np.where(pictures, accuracies, -1).argmin())
        note = f"{_UNTESTED}{escaping.first_few(untested)}" if untested else ""
        found.append(check("class_accuracy", classes[worst], float(accuracies[worst]), min_class_accuracy, note))
    for name, least in sorted(slices.items()):
        class_id = classes.index(name)
        note = "" if pictures[class_id] else f"{_UNTESTED}this class"
        found.append(check("accuracy", name, float(accuracies[class_id]), least, note))
    return found
