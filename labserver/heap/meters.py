"""One reading of the process's memory, and the floor: a reading at rest."""

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import psutil

_ATTEMPTS, _GAP_S = 3, 0.04

# Live jobs and finished jobs of whatever is under load; the instruments know nothing else about it.
JobCounts = Callable[[], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Reading:
    """The process's memory and its jobs at one instant.

    Attributes:
        t_s: `time.monotonic()`, in seconds.
        traced_bytes: bytes that tracemalloc accounts for; 0 where tracing is off.
        resident_bytes: resident set size.
        live_jobs: jobs that are kept, whatever their state.
        finished_jobs: jobs that were finished since the service started.
    """

    t_s: float
    traced_bytes: int
    resident_bytes: int
    live_jobs: int
    finished_jobs: int


class Meter:
    """Takes readings of this process.

    Args:
        jobs: gives live and finished jobs.
    """

    def __init__(self, jobs: JobCounts) -> None:
        self._jobs = jobs
        self._process = psutil.Process()

    def read(self) -> Reading:
        """Read memory and jobs now."""
        live, finished = self._jobs()
        return Reading(
            t_s=time.monotonic(),
            traced_bytes=tracemalloc.get_traced_memory()[0],
            resident_bytes=self._process.memory_info().rss,
            live_jobs=live,
            finished_jobs=finished,
        )

    def floor(self, *, threads: int, settle_s: float = 2.0) -> Reading:
        """Read at rest: the least of some readings, each after a full collection.

        A thread that is about to end still holds its stack's objects (a request's thread some 54 kB), and a
        collection can run finalizers that free more only in the next; so the floor waits for the thread count to be
        back and takes the least of several readings.

        Args:
            threads: the process's thread count at rest; waited for.
            settle_s: the longest wait for the thread count; a thread that stays is part of the floor.
        """
        wait_until(lambda: threading.active_count() <= threads, timeout_s=settle_s)
        readings = []
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_GAP_S)
            gc.collect()
            readings.append(self.read())
        return min(readings, key=lambda reading: reading.traced_bytes)


def wait_until(condition: Callable[[], bool], *, timeout_s: float, poll_s: float = 0.01) -> bool:
    """Wait for a condition.

    Returns:
        Whether it came true in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(poll_s)
    return True
