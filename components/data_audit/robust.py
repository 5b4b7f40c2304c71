"""How unusual a value is among others, some of which may be unusual themselves."""

from typing import Any

import numpy as np
import numpy.typing as npt

UNUSUAL = 3.5  # score beyond which Iglewicz and Hoaglin call a value an outlier


def scores(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Modified z-scores: distances from the median, in standard deviations of a normal distribution.

    B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers (1993): the deviation is estimated by the median
    absolute deviation, or by the mean one where more than half of the values are the same.

    Args:
      values: [values], any number of them.

    Returns:
      Float64 [values], below 0 for values below the median; all 0 where all are the same.
    """
    if not len(values):
        return np.zeros(0)
    away = values - np.median(values)
    deviation = 1.4826 * np.median(np.abs(away)) or 1.2533 * np.abs(away).mean()
    return away / deviation if deviation > 0 else np.zeros(len(values))
