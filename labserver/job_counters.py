"""The services of this process that count their jobs: how whoever watches it learns of them, and knows none by name."""

from collections.abc import Iterable
from typing import Protocol
from weakref import WeakSet


class JobCounter(Protocol):
    """A service that knows its jobs, of whatever kind."""

    def live_jobs(self) -> int:
        """How many it keeps, in whatever state."""

    def finished_jobs(self) -> int:
        """How many have ended since its start."""


RUNNING: WeakSet[JobCounter] = WeakSet()
"""Each adds itself at its start and takes itself out at its close; one that is dropped without it goes by itself."""


def count_jobs(running: Iterable[JobCounter] = RUNNING) -> dict[str, int]:
    """The jobs of all of them together; nothing where there is none, for nothing is known of a process's jobs then."""
    counters = list(running)
    if not counters:
        return {}
    return {
        "live_jobs": sum(counter.live_jobs() for counter in counters),
        "finished_jobs": sum(counter.finished_jobs() for counter in counters),
    }
