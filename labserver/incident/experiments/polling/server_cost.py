"""The processor time that a poll costs the server, measured by bursts of polls that have the server to themselves.

Polls that are seconds apart cannot tell it: between two of them the process uses more by itself than for the poll.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labserver.incident.experiments.measured import Measured
from labserver.incident.hosting.embedded import embedded
from labserver.incident.service.settings import Settings
from labserver.load import virtual_users
from labserver.load.photos import PhotoPool
from labserver.stats.interval import Interval, mean_of

Floats = npt.NDArray[np.float64]

NEVER_S = 86_400.0  # a day: longer than anybody waits


@dataclass(frozen=True, slots=True)
class Bursts(Measured):
    """Bursts of polls, n of them, and after each as long a time without any.

    Attributes:
        polls: how many there are in each.
        busy_s: processor time of this process, in which the server runs, during each; shape (n,).
        idle_s: during each of the pauses, shape (n,).
    """

    polls: int
    busy_s: Floats
    idle_s: Floats

    def cpu_s_per_poll(self, confidence: float = 0.99) -> Interval:
        """What a poll costs, the idle server's processor time taken off: the mean of the bursts."""
        return mean_of((self.busy_s - self.idle_s) / self.polls, confidence)


def poll_in_bursts(*, polls: int, bursts: int, seed: int) -> Bursts:
    """Let one client poll for a job that never finishes, each time as soon as it has its answer.

    The first burst, in which imports and caches fill, does not count.

    Args:
        polls: in each burst.
        bursts: how many count, two or more.
        seed: of the job's photographs.
    """
    rows: list[tuple[float, float]] = []
    with embedded(Settings(service_time_s=NEVER_S, workers=1)) as server:
        job = server.service.ids.issue()
        server.service.queue.submit(job, *PhotoPool(seed, variants=1).pair(0))
        with virtual_users(server.url, 1, requests=[f"GET /api/images/status/{job}"]) as client, _small_collections():
            client.run(iterations=polls)
            for _ in range(bursts):
                began, before = time.monotonic(), time.process_time()
                client.run(iterations=polls)
                ended, between = time.monotonic(), time.process_time()
                time.sleep(ended - began)
                rows.append((between - before, time.process_time() - between))
    busy_s, idle_s = np.array(rows).T
    return Bursts(polls, busy_s, idle_s)


@contextmanager
def _small_collections() -> Iterator[None]:
    """Spare the collector what is there already: a notebook's heap would make its full passes dearer than the polls."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
