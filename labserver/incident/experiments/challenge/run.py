"""One service under even arrivals, alone in the process, with its heap traced."""

import gc
from dataclasses import dataclass

import numpy as np

from labserver.heap.tracemalloc_tools import tracing
from labserver.incident.experiments.challenge.arrivals import Array, Series, backends, drive
from labserver.incident.experiments.measured import Measured
from labserver.incident.service.settings import Settings
from labserver.load.photos import Pair

# The heap counts from its mean over these first jobs on: what the process had before drops out.
_BASE_JOBS = 3
_SAMPLE_S = 0.005


@dataclass(frozen=True, slots=True)
class Run(Measured):
    """One service under load, alone in the process, with its heap traced.

    Attributes:
        settings: the service's.
        asked_per_s: the rate of the arrivals.
        series: what was read.
        jobs: finished jobs at which the heap was read, shape (k,).
        heap: the least traced bytes at each, above the mean over the first of them; shape (k,).
        since_s: seconds from the first arrival until each was first seen, shape (k,).
    """

    settings: Settings
    asked_per_s: float
    series: Series
    jobs: Array
    heap: Array
    since_s: Array

    @property
    def rate_per_s(self) -> float:
        """Jobs that finished per second."""
        return float(self.series.rates()[0])

    @property
    def result_bytes(self) -> float:
        """The mean size of an image, by the store's own books before anything has expired."""
        early = self.series.between(0, self.settings.ttl_s)
        return float(early.kept[-1, 0] / early.finished[-1, 0])

    @property
    def first_s(self) -> float:
        """When the first job had finished."""
        return float(self.series.t_s[np.argmax(self.series.finished[:, 0] >= 1)])

    @property
    def late_s(self) -> float:
        """What a busy machine may have added to an instant: the longest lateness of a job or of a reading."""
        lag = self.since_s - self.since_s[0] - (self.jobs - self.jobs[0]) / self.asked_per_s
        return float(max(lag.max(), np.diff(self.series.t_s).max()))


def observe(
    settings: Settings, photos: Pair, *, rate_per_s: float, duration_s: float, image: bytes | None = None
) -> Run:
    """Run one service under even arrivals, with its heap traced.

    Args:
        settings: the service's.
        photos: the upload.
        rate_per_s: jobs per second.
        duration_s: how long jobs arrive; on a busy machine longer, until all have finished that should have by then.
        image: what each result is a copy of; composed from the upload if left out.
    """
    gc.collect()
    with tracing(1), backends([settings], image=image) as driven:
        jobs = int(rate_per_s * duration_s) - 1
        series = drive(driven, [rate_per_s], photos, duration_s=duration_s, jobs=jobs, sample_s=_SAMPLE_S)
    finished = series.finished[:, 0]
    numbers, first = np.unique(finished[finished > 0], return_index=True)
    # The least of the readings at one number: what is under way comes and goes, as between two floors.
    heap = np.array([series.traced[finished == number].min() for number in numbers])
    return Run(settings, rate_per_s, series, numbers, heap - heap[:_BASE_JOBS].mean(), series.t_s[finished > 0][first])
