"""Floors against finished jobs, and the line through them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labserver.stats.drift import drift
from labserver.stats.interval import Interval, bytes_per_job
from labserver.stats.line import Array, Line
from labserver.stats.student import t_quantile


@dataclass(frozen=True, slots=True)
class FloorLine:
    """The slope of floors in bytes per job with an interval, and the floors' standard deviation about the line."""

    slope: float
    low: float
    high: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Floors:
    """Floors against finished jobs.

    Attributes:
        jobs: finished jobs at each.
        sizes: bytes at each.
        noise_bytes: the least standard deviation that a floor is believed to have.
        risk: that the interval of a line misses the slope.
        wanders: whether the interval that is reported allows for steps that stay.
    """

    jobs: Sequence[float]
    sizes: Sequence[float]
    noise_bytes: float
    risk: float
    wanders: bool = True

    def __len__(self) -> int:
        """Return the number of floors."""
        return len(self.jobs)

    def span(self, start: int) -> float:
        """The jobs from one floor to the last."""
        return self.jobs[-1] - self.jobs[start]

    def line(self, start: int = 0) -> FloorLine:
        """The line through the floors from one on; a negative number counts from the last."""
        jobs, sizes = self.jobs[start:], self.sizes[start:]
        quantile = t_quantile(1 - self.risk / 2, len(jobs) - 2)
        return floor_line(jobs, sizes, noise_bytes=self.noise_bytes, quantile=quantile)

    def interval(self, start: int, confidence: float) -> Interval:
        """The same as it is reported."""
        told = drift if self.wanders else bytes_per_job
        return told(self.jobs[start:], self.sizes[start:], confidence=confidence, noise_bytes=self.noise_bytes)


def floor_line(jobs: Sequence[float], sizes: Sequence[float], *, noise_bytes: float, quantile: float) -> FloorLine:
    """The least-squares line through floors; the interval allows for floors that wander, too.

    Args:
        jobs: finished jobs at each floor, n ≥ 3.
        sizes: bytes at each.
        noise_bytes: the least standard deviation of a floor.
        quantile: standard errors on each side of the slope.
    """
    line = Line.through(jobs, sizes)
    deviation = max(line.deviation, noise_bytes)
    wanders = wandering(np.diff(line.rest)) * (len(jobs) - 1) / (jobs[-1] - jobs[0]) ** 2
    half = quantile * math.sqrt(deviation**2 / line.spread + wanders)
    return FloorLine(line.slope, line.slope - half, line.slope + half, deviation)


def wandering(steps: Array) -> float:
    """The variance that each cycle adds for good, as items of random size do.

    A floor's own noise comes and goes: over one step or over many it varies alike. What wanders varies the more, the
    more steps are taken together.

    Args:
        steps: from one floor to the next, less the slope's part; shape (n − 1,).
    """
    n, k = len(steps), max(len(steps) // 6, 2)
    if n < 2 * k:
        return 0.0
    one = float(steps @ steps) / (n - 1)
    sums = np.convolve(steps, np.ones(k), "valid")
    many = float(sums @ sums) / len(sums) / (1 - k / n)  # the slope has taken its part
    return min(max(many - one, 0.0) / (k - 1), one)
