"""Whether processes have come to rest, by what they do and by the time that they take of a processor."""

import contextlib
import time
from collections.abc import Callable, Iterable

import psutil

_CALM_S = 1.5
_SHARE = 0.2  # of a core, and of the looks at who works, which a program that waits for its tasks takes at most
_AT_WORK = (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)


class Calm:
    """Looked at over and over.

    Args:
        processes: gives them; each time some of them may be others.
    """

    def __init__(self, processes: Callable[[], Iterable[psutil.Process]]) -> None:
        self._processes = processes
        self._begin()

    def has_come(self) -> bool:
        """Whether they have hardly worked for one and a half seconds, and hardly waited for a processor."""
        worked_s, at_work = self._now()
        self._looks += 1
        self._at_work += at_work
        waited_s = time.monotonic() - self._began
        if waited_s < _CALM_S:
            return False
        calm = worked_s - self._before_s < _SHARE * waited_s and self._at_work <= _SHARE * self._looks
        self._begin()
        return calm

    def _begin(self) -> None:
        self._began, self._before_s = time.monotonic(), self._now()[0]
        self._looks = self._at_work = 0

    def _now(self) -> tuple[float, bool]:
        """Seconds of a processor so far, and whether any of them works or wants to."""
        total, at_work = 0.0, False
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
                at_work = at_work or process.status() in _AT_WORK
        return total, at_work
