"""The processor time that this process, in which a server runs, has used at each instant."""

import threading
import time
from array import array
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Costs:
    """Readings in the order of time.

    Attributes:
        at_s: Unix time, shape (n,).
        cpu_s: processor time of the whole process so far, shape (n,).
    """

    at_s: Floats
    cpu_s: Floats

    def cpu_at(self, at_s: Floats) -> Floats:
        """Processor time at instants between the readings; within the first and the last of them."""
        return np.interp(at_s, self.at_s, self.cpu_s)


class CostMeter:
    """Reads the process's clock from a thread until the block ends; what it costs itself is in the idle baseline.

    Args:
        every_s: seconds between two readings.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._at, self._cpu = array("d"), array("d")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labserver-cost", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def costs(self) -> Costs:
        """What was read."""
        return Costs(np.array(self._at), np.array(self._cpu))

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._at.append(time.time())
            self._cpu.append(time.process_time())
