"""What a finished run warns of: classes whose accuracy says little or that are never predicted, and losses that were no
finite numbers.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from common import escaping

# With ten test pictures of a class, each one is ten points of its accuracy, and the 95% interval (Wilson) of nine right
# ones runs from 60% to 98%.
_FEW = 10
_RATES = {1: "trainer.learning_rate", 2: "trainer.fine_tune_learning_rate"}


def of_run(diverged: Sequence[int], matrix: npt.NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    """All that a run warns of, a line each; the arguments are those of the others."""
    return [*of_training(diverged), *of_classes(matrix, classes)]


def of_classes(matrix: npt.NDArray[np.int64], classes: Sequence[str]) -> list[str]:
    """One line for each kind of class of which the test split says little, or which the model never predicts.

    Args:
      matrix: int64 [classes, classes], test pictures by true class (rows) and predicted class (columns).
      classes: names by class id.
    """
    pictures, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    counted = [f"{classes[place]} ({pictures[place]})" for place in np.argsort(pictures, kind="stable")]
    untested = [name for name, count in zip(classes, pictures, strict=True) if not count]
    few = counted[len(untested) : int((pictures < _FEW).sum())]
    ignored = [name for name, row, column in zip(classes, pictures, predicted, strict=True) if row and not column]
    found = []
    if untested:
        found.append(f"no test picture: {escaping.first_few(untested)}; how well the model knows them is not measured")
    if few:
        found.append(
            f"few test pictures: {escaping.first_few(few)}; of fewer than {_FEW}, one picture is more than "
            f"{100 // _FEW} points of the class's accuracy"
        )
    if ignored:
        found.append(f"never predicted for any test picture: {escaping.first_few(ignored)}")
    return found


def of_training(diverged: Sequence[int]) -> list[str]:
    """One line for each stage with an epoch whose loss was no finite number.

    Args:
      diverged: their numbers, as `training_results.diverged` finds them.
    """
    return [
        f"the loss of stage {stage} became infinite or not a number; lower {_RATES[stage]}, now too high for these "
        f"pictures"
        for stage in diverged
    ]
