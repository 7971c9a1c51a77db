"""Readings of this process's memory, and the floor: a reading at rest, taken here for checks and notebooks alike."""

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import psutil

from labserver.heap.process_memory import heap_bytes, mapped_bytes, spare_bytes
from labserver.heap.wire import FloorReading

R = TypeVar("R")

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

    def floor(self, *, threads: int, settle_s: float | None = None) -> Reading:
        """Read at rest; see `take_floor`. Memory that nobody traces is not in it."""
        floor = take_floor(threads=threads, settle_s=settle_s)
        return replace(self.read(), traced_bytes=floor.traced_bytes or 0)


@dataclass(frozen=True, slots=True)
class Settling:
    """How a floor waits for memory to come to rest.

    Attributes:
        attempts: readings, of which the least counts: a collection can run finalizers that free more only in the next.
        gap_s: seconds between two of them, in which a thread gets to end.
        drain_s: seconds for connections and threads to end, and then for memory to stop falling: work may still go on
            behind a request, and what goes on for longer is part of the floor.
        falling_bytes: what a reading must be less than the least so far for memory to be falling still: above what the
            instruments' own answers come and go by.
        collections: before each reading, at most: as many as free something.
    """

    attempts: int = 3
    gap_s: float = 0.04
    drain_s: float = 2.0
    falling_bytes: int = 1024
    collections: int = 1


SETTLING = Settling()
ALONE = Settling(attempts=1, gap_s=0.0, collections=4)
"""Where nothing acts by itself, there is nothing to wait for: one reading, once all finalizers have run."""


def take_floor(
    *, threads: int | None = None, settle_s: float | None = None, settling: Settling = SETTLING
) -> FloorReading:
    """The memory of this process at rest.

    A thread that is about to end still holds its stack's objects, a request's thread some 54 kB, so their count is
    waited for. Where the application has switched the collector off, nothing is collected: the garbage is part of what
    it keeps.

    Args:
        threads: the number of threads at rest; None to wait for none.
        settle_s: the longest wait for it; None for `settling.drain_s`.
        settling: the waits otherwise.
    """
    settle_s = settling.drain_s if settle_s is None else settle_s
    if threads is not None:
        wait_until(lambda: threading.active_count() <= threads, timeout_s=settle_s)
    patient = replace(settling, drain_s=max(settle_s, settling.drain_s))
    reading = least(lambda: _read_collected(settling.collections), _used_bytes, patient)
    return replace(reading, mapped_bytes=mapped_bytes(), spare_bytes=spare_bytes())


def least(read: Callable[[], R], used: Callable[[R], int], settling: Settling) -> R:
    """The least of some readings, and of more for as long as they keep falling.

    Args:
        read: takes one.
        used: its figure that counts, in bytes.
        settling: how many, and for how long.
    """
    deadline = time.monotonic() + settling.drain_s
    best, taken, falling = read(), 1, False
    while taken < settling.attempts or (falling and time.monotonic() < deadline):
        time.sleep(settling.gap_s)
        reading = read()
        taken += 1
        falling = used(reading) < used(best) - settling.falling_bytes
        best = min(best, reading, key=used)
    return best


def _read_collected(collections: int) -> FloorReading:
    if gc.isenabled():
        while gc.collect() and collections > 1:
            collections -= 1
    return _reading()


def _reading() -> FloorReading:
    return FloorReading(
        heap_bytes=heap_bytes(),
        traced_bytes=tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else None,
        threads=threading.active_count(),
        collecting=gc.isenabled(),
    )


def _used_bytes(reading: FloorReading) -> int:
    """What is compared: the traced bytes where there are any, for the books have the traces' own memory in them."""
    return reading.traced_bytes if reading.traced_bytes is not None else reading.heap_bytes or 0


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
