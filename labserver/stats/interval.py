"""Bytes per finished job, from floors, with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labserver.stats.student import t_quantile
from labserver.text import formatted

# Floors of an idle server differ by about this much (free lists, dictionaries' spare room, interned strings), however
# well three of them happen to agree; the residuals of a few floors cannot show it.
FLOOR_NOISE_BYTES = 4096.0


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its two-sided confidence interval; `str` gives bytes per job."""

    estimate: float
    low: float
    high: float
    confidence: float

    def __contains__(self, value: float) -> bool:
        """Whether the interval covers a value."""
        return self.low <= value <= self.high

    def scaled(self, factor: float) -> "Interval":
        """The same in another unit; the factor is above 0."""
        return Interval(self.estimate * factor, self.low * factor, self.high * factor, self.confidence)

    def __str__(self) -> str:
        """Give the interval as `281,234 B/job (280,900 to 281,500, 99 %)`."""
        estimate, low, high = (formatted(value, ",.0f") for value in (self.estimate, self.low, self.high))
        return f"{estimate} B/job ({low} to {high}, {formatted(self.confidence, '.0%')})"


def bytes_per_job(
    jobs: Sequence[float] | npt.NDArray[np.float64],
    floors: Sequence[float] | npt.NDArray[np.float64],
    *,
    confidence: float = 0.99,
    noise_bytes: float = FLOOR_NOISE_BYTES,
) -> Interval:
    """The slope of the floors on finished jobs, by least squares, with Student's t interval.

    Floors, not the curve under load: sawtooth garbage, requests under way and results that wait for their expiry make
    a live curve rise and fall without any leak.

    Args:
        jobs: finished jobs at each floor, shape (n,), n ≥ 3, not all equal.
        floors: bytes at each floor, shape (n,).
        confidence: of the two-sided interval.
        noise_bytes: the least standard deviation a floor is believed to have.

    Raises:
        ValueError: there are fewer than three floors, or all at the same number of jobs.
    """
    x, y = np.asarray(jobs, dtype=np.float64), np.asarray(floors, dtype=np.float64)
    spread = x - x.mean() if x.size else x
    if x.shape != y.shape or x.size < 3 or not spread.any():
        raise ValueError(f"a slope needs three or more floors at differing numbers of jobs, got jobs = {x.tolist()}")
    sxx = float(spread @ spread)
    slope = float(spread @ y) / sxx
    residuals = y - y.mean() - slope * spread
    dof = x.size - 2
    deviation = max(float(np.sqrt(residuals @ residuals / dof)), noise_bytes)
    half = t_quantile((1 + confidence) / 2, dof) * deviation / np.sqrt(sxx)
    return Interval(slope, slope - half, slope + half, confidence)
