"""Readings at rest: the application is left alone, and its process collects its garbage and reads its memory."""

from labserver.diagnosis.measure.driver import Driver
from labserver.diagnosis.measure.heuristics import Patience
from labserver.heap.wire import FloorReading
from labserver.targets.instrumented import Instrumented


class Floors:
    """Takes the floors of one check.

    Args:
        process: whose memory is read.
        driver: the load, which rests meanwhile.
        patience: with threads that jobs have started.
        settle_s: seconds of rest before each.

    Attributes:
        settle_s: the same.
        last: bytes of the last one.
    """

    def __init__(self, process: Instrumented, driver: Driver, patience: Patience, settle_s: float) -> None:
        self.settle_s = settle_s
        self.last = 0
        self._process = process
        self._driver = driver
        self._patience = patience
        self._threads: int | None = None  # at rest
        self._lingered = 0

    def read(self) -> FloorReading:
        """Read at once, for whoever has no time to rest, or does not know yet how many threads remain."""
        return self._process.floor()

    def take(self, settle_s: float | None = None) -> FloorReading:
        """Rest, and read.

        Args:
            settle_s: seconds of rest, where they are others than before each floor.
        """
        self._driver.rest(self.settle_s if settle_s is None else settle_s)
        hurried = self._lingered >= self._patience.lingering
        reading = self._process.floor(threads=self._threads, settle_s=self._patience.short_s if hurried else None)
        # A thread that did not end in time is not waited for again, nor are others for long where that is the rule.
        self._lingered += self._threads is not None and reading.threads > self._threads
        self.keep_threads(reading)
        self.last = reading.used_bytes
        return reading

    def keep_threads(self, reading: FloorReading) -> None:
        """Take the threads that a reading saw for those that stay."""
        self._threads = max(self._threads or 0, reading.threads)
