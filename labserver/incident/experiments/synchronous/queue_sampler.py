"""The jobs that wait in a gateway's queue, and their bytes, at even intervals."""

import time

import numpy as np

from labserver.incident.experiments.synchronous.measurements import Floats
from labserver.incident.hosting.embedded import EmbeddedServer
from labserver.sampler import Sampler

SAMPLE_S = 0.05


class QueueSampler(Sampler):
    """Looks at a gateway's queue at even intervals for the length of a `with` block."""

    def __init__(self, gateway: EmbeddedServer) -> None:
        super().__init__(self._look, interval_s=SAMPLE_S, name="labserver-queue-sampler")
        self._gateway = gateway
        self._rows: list[tuple[float, int, int]] = []

    def until(self, began: float, seconds: float) -> tuple[Floats, Floats, Floats]:
        """Times, jobs that waited, and their bytes, for so many seconds since `began`."""
        rows = np.array(self._rows, dtype=float)
        rows[:, 0] -= began
        rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] < seconds)]
        return rows[:, 0], rows[:, 1], rows[:, 2]

    def _look(self, _beat: int, _due: float) -> None:
        self._rows.append((time.monotonic(), *self._gateway.service.queue.waiting()))
