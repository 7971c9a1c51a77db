"""The jobs that wait in a gateway's queue, and their bytes, at even intervals."""

import threading
import time
from typing import Self

import numpy as np

from labserver.incident.experiments.synchronous.measurements import Floats
from labserver.incident.hosting.embedded import EmbeddedServer

SAMPLE_S = 0.05


class QueueSampler:
    """Looks at a gateway's queue at even intervals for the length of a `with` block."""

    def __init__(self, gateway: EmbeddedServer) -> None:
        self._gateway = gateway
        self._rows: list[tuple[float, int, int]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="labserver-queue-sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def until(self, began: float, seconds: float) -> tuple[Floats, Floats, Floats]:
        """Times, jobs that waited, and their bytes, for so many seconds since `began`."""
        rows = np.array(self._rows, dtype=float)
        rows[:, 0] -= began
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] < seconds)]
        return rows[:, 0], rows[:, 1], rows[:, 2]

    def _work(self) -> None:
        while not self._stopping.wait(SAMPLE_S):
            self._rows.append((time.monotonic(), *self._gateway.service.queue.waiting()))
