"""A thread that takes samples on a fixed grid."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Sampler:
    """Calls a function at every beat, from a thread of its own, until the block ends; then raises what it raised.

    There is one sample at least, however short the block. A late one shifts no other: the grid stands, and the beats
    that a slow one covers are missed.

    Args:
        take: called with the number of the beat, and when it was due on the clock of `time.monotonic`.
        interval_s: from one beat to the next.
        name: of the thread.

    Attributes:
        missed: beats without a sample so far.
    """

    def __init__(self, take: Callable[[int, float], None], *, interval_s: float, name: str) -> None:
        self.missed = 0
        self._take = take
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    @property
    def running(self) -> bool:
        """Whether samples are still taken: until the block ends, or one fails."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._sample()
        except Exception as error:  # noqa: BLE001 - handed to the thread that leaves the block
            self._error = error

    def _sample(self) -> None:
        start = due = time.monotonic()
        beat = 0
        while True:
            self._take(beat, due)
            following = next_beat(beat, time.monotonic() - start, self._interval_s)
            self.missed += following - beat - 1
            beat, due = following, start + following * self._interval_s
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return


def next_beat(beat: int, elapsed_s: float, interval_s: float) -> int:
    """The number of the first beat that is still to come.

    Args:
        beat: the number of the last one.
        elapsed_s: since beat 0.
        interval_s: from one to the next.
    """
    return max(int(elapsed_s / interval_s), beat) + 1
