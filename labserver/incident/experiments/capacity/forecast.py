"""When a memory will be full, foretold from the first part of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labserver.errors import CannotRun
from labserver.incident.experiments.measured import Measured
from labserver.stats.interval import Interval, bytes_per_job
from labserver.text import formatted

Array = npt.NDArray[np.float64]

_LEAST_LEVELS = 3


@dataclass(frozen=True, slots=True)
class Readings(Measured):
    """Readings of a process under load, n of them; bytes count from where its memory was limited.

    Attributes:
        t_s: seconds since the load began, shape (n,).
        jobs: jobs done, shape (n,).
        size: address space, in bytes, shape (n,).
        peak: the most that it has ever been, in bytes, shape (n,).
    """

    t_s: Array
    jobs: Array
    size: Array
    peak: Array

    @classmethod
    def of(cls, rows: Sequence[tuple[float, int, int, int]], start: int) -> "Readings":
        """Seconds, jobs, size and peak in rows; `start` is the size that counts as zero."""
        t_s, jobs, size, peak = np.array(rows, dtype=np.float64).reshape(-1, 4).T
        return cls(t_s, jobs, size - start, peak - start)

    def first(self, bytes_used: float) -> "Readings":
        """Those before the peak reaches so many bytes."""
        n = int(np.searchsorted(self.peak, bytes_used))
        return Readings(self.t_s[:n], self.jobs[:n], self.size[:n], self.peak[:n])

    def to_csv(self, path: Path) -> None:
        """Write a row a reading."""
        rows = np.column_stack([self.t_s, self.jobs, self.size, self.peak])
        header = "t_s,jobs,address_space_bytes,peak_bytes"
        np.savetxt(path, rows, fmt=["%.4f", "%d", "%d", "%d"], delimiter=",", header=header, comments="")


@dataclass(frozen=True, slots=True)
class Forecast(Measured):
    """What is foretold.

    Attributes:
        made_at_s, made_at_jobs: when.
        growth: bytes that a job adds.
        level: bytes at 0 jobs, of a job's highest reading.
        jobs: done when the memory is full.
        t_s: seconds at which that will be, at the rate at which jobs arrive.
    """

    made_at_s: float
    made_at_jobs: float
    growth: Interval
    level: float
    jobs: Interval
    t_s: float


def forecast(readings: Readings, room: float, rate_per_s: float, *, share: float = 0.25) -> Forecast:
    """Foretell when the memory will be full, from the readings before a share of it was used.

    A job is served in memory that is given back after it. What meets the limit is the kept memory and that of the job
    under way: the line of growth is therefore laid through the jobs' highest readings.

    Args:
        readings: of a process whose memory fills.
        room: bytes that there are.
        rate_per_s: jobs that arrive per second.
        share: of the room, used when the forecast is made.

    Raises:
        CannotRun: hardly a job was done by then.
    """
    early = readings.first(share * room)
    levels = np.unique(early.jobs)
    if levels.size < _LEAST_LEVELS:
        used = f"{formatted(share, '.0%')} of the memory was used"
        raise CannotRun(f"{used} before {_LEAST_LEVELS} jobs were done: give it more room.")
    highest = np.array([early.size[early.jobs == level].max() for level in levels])
    mean = np.array([early.size[early.jobs == level].mean() for level in levels])
    growth = bytes_per_job(levels, mean)
    level = float((highest - growth.estimate * levels).mean())
    made_at_s, made_at = float(early.t_s[-1]), float(levels[-1])
    left = room - level - growth.estimate * made_at
    jobs, low, high = (made_at + left / max(g, 1.0) for g in (growth.estimate, growth.high, growth.low))
    t_s = made_at_s + (jobs - made_at) / rate_per_s
    return Forecast(made_at_s, made_at, growth, level, Interval(jobs, low, high, growth.confidence), t_s)
