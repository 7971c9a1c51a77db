"""A mean with its interval."""

import math

import numpy as np
import numpy.typing as npt

from labserver.stats.interval import Interval
from labserver.stats.student import t_quantile


def mean_of(values: npt.NDArray[np.float64], confidence: float = 0.99) -> Interval:
    """The mean of independent values, two or more, with Student's interval."""
    mean, count = float(values.mean()), len(values)
    half = t_quantile((1 + confidence) / 2, count - 1) * float(values.std(ddof=1)) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, confidence)
