"""Open arrivals at even distances: jobs come when they are due, whatever the services are doing.

What is driven is the service behind its routes: queue, workers and store. The routes keep nothing of a job
(`02_reproduce_the_leak` measures that), and without them two cores reach the rates at which many results are kept at a
time. What arrives is known to the job, so that a prediction can be held against it.
"""

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labserver.incident.experiments.measured import Measured
from labserver.incident.service.clock import AdjustableClock
from labserver.incident.service.face import compose
from labserver.incident.service.ids import JobIds
from labserver.incident.service.job_queue import Compose, JobQueue, QueueFull
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import JobStore, create_store
from labserver.load.photos import Pair

Array = npt.NDArray[np.float64]

_LONGEST = 3  # times the duration that was asked for


@dataclass(frozen=True, slots=True)
class Series(Measured):
    """Readings at even distances while jobs arrive; n readings of c services.

    Attributes:
        t_s: seconds since the arrivals began, shape (n,).
        traced: the process's bytes that tracemalloc accounts for, 0 where tracing is off; shape (n,).
        kept: bytes of images in each store, shape (n, c).
        finished: finished jobs of each service, shape (n, c).
    """

    t_s: Array
    traced: Array
    kept: Array
    finished: Array

    def between(self, begin_s: float, end_s: float) -> "Series":
        """The readings from one instant to another."""
        inside = (self.t_s >= begin_s) & (self.t_s <= end_s)
        return Series(self.t_s[inside], self.traced[inside], self.kept[inside], self.finished[inside])

    def rates(self) -> Array:
        """Jobs that each service finished per second, shape (c,)."""
        rates: Array = (self.finished[-1] - self.finished[0]) / (self.t_s[-1] - self.t_s[0])
        return rates

    def to_csv(self, path: Path, names: Sequence[str]) -> None:
        """Write a row a reading: seconds, traced bytes, then kept bytes and finished jobs by the services' names."""
        header = ["t_s", "traced_bytes", *(f"{kind}_{name}" for kind in ("kept_bytes", "finished") for name in names)]
        rows = np.column_stack([self.t_s, self.traced, self.kept, self.finished])
        formats = ["%.4f"] + ["%d"] * (len(header) - 1)
        np.savetxt(path, rows, fmt=formats, delimiter=",", header=",".join(header), comments="")


@dataclass(frozen=True, slots=True)
class Backend:
    """A service without its routes.

    Attributes:
        store: the retention policy.
        queue: the workers.
        ids: issues the job ids that the store keeps.
    """

    store: JobStore
    queue: JobQueue
    ids: JobIds


@contextmanager
def backends(settings: Sequence[Settings], *, image: bytes | None = None) -> Iterator[list[Backend]]:
    """Services without routes, started; none of their threads and jobs is left after the block.

    Args:
        settings: one for each.
        image: each job's result is a copy of it, where given: at high rates the composition would be all that two
            cores do, and it has no part in what is kept.
    """
    with ExitStack() as stack:
        yield [_started(stack, each, _copies(image) if image else _composer(each)) for each in settings]


def _started(stack: ExitStack, settings: Settings, work: Compose) -> Backend:
    clock = AdjustableClock()
    store = create_store(settings, clock)
    queue = JobQueue(
        store,
        clock,
        work,
        workers=settings.workers,
        queue_size=settings.queue_size,
        service_time_s=settings.service_time_s,
    )
    stack.callback(store.close)
    store.start()
    stack.callback(queue.close)
    queue.start()
    return Backend(store, queue, JobIds(clock))


def _composer(settings: Settings) -> Compose:
    return partial(compose, size_px=settings.result_px, max_pixels=settings.max_pixels)


def _copies(image: bytes) -> Compose:
    view = memoryview(image)
    return lambda _a, _b: bytes(view)


def drive(  # noqa: PLR0913 - each is a figure of the load, all but three by keyword
    driven: Sequence[Backend],
    rates: Sequence[float],
    photos: Pair,
    *,
    duration_s: float,
    jobs: int = 0,
    sample_s: float = 0.01,
) -> Series:
    """Submit jobs to each service at its own rate, and read all stores meanwhile.

    Arrivals that fell behind, on a busy machine, are made up for at once: the rate to predict with is `Series.rates`.
    A job that finds the queue full is lost, as it would be to a client who does not come back.

    Args:
        driven: started, c of them.
        rates: jobs per second for each, shape (c,).
        photos: the upload, the same for all: every result has the same size.
        duration_s: how long jobs arrive.
        jobs: on a busy machine they arrive until each service has finished so many, up to three times as long.
        sample_s: seconds between two readings.
    """
    steps = [1 / rate for rate in rates]
    # Services that would submit together take turns.
    due = [sample_s * (number + 0.5) / len(driven) for number in range(len(driven))]
    rows = np.zeros((int(_LONGEST * duration_s / sample_s) + 2, 2 + 2 * len(driven)))
    count, next_sample, begin = 0, 0.0, time.monotonic()
    while (now := time.monotonic() - begin) < _LONGEST * duration_s:
        if now >= duration_s and all(service.queue.finished >= jobs for service in driven):
            break
        for number, service in enumerate(driven):
            if due[number] <= now:
                due[number] += steps[number]
                with suppress(QueueFull):
                    service.queue.submit(service.ids.issue(), *photos)
        if next_sample <= now:
            rows[count] = _reading(driven, begin)
            count, next_sample = count + 1, sample_s * (now // sample_s + 1)
        time.sleep(max(0.0, min(*due, next_sample) - (time.monotonic() - begin)))
    return _series(rows[:count], len(driven))


def _reading(driven: Sequence[Backend], begin: float) -> list[float]:
    kept = [float(service.store.kept_bytes()) for service in driven]
    finished = [float(service.queue.finished) for service in driven]
    return [time.monotonic() - begin, tracemalloc.get_traced_memory()[0], *kept, *finished]


def _series(rows: Array, cells: int) -> Series:
    return Series(rows[:, 0], rows[:, 1], rows[:, 2 : 2 + cells], rows[:, 2 + cells :])
