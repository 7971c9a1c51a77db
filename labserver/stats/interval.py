"""An estimate with its interval: of a mean, and of the bytes that a job leaves behind."""

import math
from dataclasses import dataclass

import numpy as np

from labserver.stats.floor_noise import FLOOR_NOISE
from labserver.stats.line import Array, Line, Values
from labserver.stats.student import t_quantile
from labserver.text import formatted


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its two-sided confidence interval; `str` gives bytes per job."""

    estimate: float
    low: float
    high: float
    confidence: float

    def __post_init__(self) -> None:
        for name in ("estimate", "low", "high"):
            if isinstance(value := getattr(self, name), np.number):  # whose `repr` names its type
                object.__setattr__(self, name, value.item())

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
    jobs: Values, floors: Values, *, confidence: float = 0.99, noise_bytes: float = FLOOR_NOISE.shared_process
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
    require_a_slope(jobs, floors)
    line = Line.through(jobs, floors)
    half = t_quantile((1 + confidence) / 2, len(jobs) - 2) * max(line.deviation, noise_bytes) / math.sqrt(line.spread)
    return Interval(line.slope, line.slope - half, line.slope + half, confidence)


def require_a_slope(jobs: Values, floors: Values) -> None:
    """See that a slope can be told of floors.

    Raises:
        ValueError: there are fewer than three floors, or all at the same number of jobs.
    """
    if not len(floors) == len(jobs) >= 3 or len(set(jobs)) < 2:
        raise ValueError(f"a slope needs three or more floors at differing numbers of jobs, got jobs = {list(jobs)}")


def mean_of(values: Array, confidence: float = 0.99) -> Interval:
    """The mean of independent values, two or more, with Student's interval."""
    mean, count = float(values.mean()), len(values)
    half = t_quantile((1 + confidence) / 2, count - 1) * float(values.std(ddof=1)) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, confidence)
