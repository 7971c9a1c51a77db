"""Time as the service sees it: a parameter, so that ten minutes need not last ten minutes."""

import threading
import time
from typing import Protocol

from labserver.errors import UsageError


class Clock(Protocol):
    """Anything that tells the time when it is called: `time.time` is one."""

    def __call__(self) -> float:
        """Return the Unix time in seconds."""
        ...


class AdjustableClock:
    """The real time plus an offset, with which a measurement ages results that it cannot wait for."""

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return the Unix time in seconds, moved forward by all advances so far."""
        with self._lock:
            return time.time() + self._offset_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`.

        Raises:
            UsageError: `seconds` is negative; ages must not shrink.
        """
        if not seconds >= 0:  # also refuses NaN
            raise UsageError(f"A clock advances by 0 or more seconds, not by {seconds!r}.")
        with self._lock:
            self._offset_s += seconds
