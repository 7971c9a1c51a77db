"""Whether processes have come to rest, by the time that they take of a processor."""

import contextlib
import time
from collections.abc import Callable, Iterable

import psutil

_CALM_S = 1.5
_SHARE = 0.2  # of a core, which a program that waits for its tasks takes at most


class Calm:
    """Looked at over and over.

    Args:
        processes: gives them; each time some of them may be others.
    """

    def __init__(self, processes: Callable[[], Iterable[psutil.Process]]) -> None:
        self._processes = processes
        self._begin()

    def has_come(self) -> bool:
        """Whether they have hardly worked for one and a half seconds."""
        waited_s = time.monotonic() - self._began
        if waited_s < _CALM_S:
            return False
        worked_s = self._worked_s() - self._before_s
        self._begin()
        return worked_s < _SHARE * waited_s

    def _begin(self) -> None:
        self._began, self._before_s = time.monotonic(), self._worked_s()

    def _worked_s(self) -> float:
        total = 0.0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total
