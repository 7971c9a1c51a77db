"""Samples on a fixed grid, and what can honestly be said of them afterwards."""

import contextlib
import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np

from labserver.errors import CannotRun, UsageError
from labserver.sampler import next_beat
from labserver.watch.sample import Sample, Source

CSV_COLUMNS = (
    "t_s", "traced_bytes", "resident_bytes", "live_jobs", "finished_jobs", "private_bytes", "utc", "event",
)  # fmt: skip
"""Those of `labserver.heap.monitor.Curve`, then our own; the heap stands where a monitor writes the traced bytes."""


def samples(
    source: Source,
    *,
    interval_s: float,
    duration_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Sample]:
    """Sample a source on a grid that no slow answer shifts; a beat that one has covered is a gap.

    Args:
        source: what is sampled.
        interval_s: from one beat to the next, seconds.
        duration_s: until the last beat, seconds.
        sleep: waits.
        clock: the monotonic time, seconds.

    Yields:
        The samples in the order of their time; after `ended` no more.
    """
    start, beat = clock(), 0
    while beat * interval_s <= duration_s:
        wait = start + beat * interval_s - clock()
        if wait > 0:
            sleep(wait)
        sample = source.read()
        following = next_beat(beat, clock() - start, interval_s)
        for missed in range(beat + 1, following):
            lag = clock() - (start + missed * interval_s)
            yield Sample(
                t_s=start + missed * interval_s, at_s=time.time() - lag, event="gap: the answer before it was late"
            )
        yield sample
        if sample.event == "ended":
            return
        beat = following


@dataclass(slots=True)
class Account:
    """First, last, least and most of a series, and its slope in time; keeps sums, however long the series is.

    The heap is followed where the first reading has one, otherwise resident memory.
    """

    heap: bool = True
    count: int = 0
    gaps: int = 0
    restarts: int = 0
    several: bool = False
    first: float = math.nan
    last: float = math.nan
    least: float = math.inf
    most: float = -math.inf
    _t0: float = math.nan
    _t1: float = math.nan
    _sums: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def add(self, sample: Sample) -> None:
        """Take a sample in."""
        self.restarts += sample.event.startswith("restart")
        self.several = self.several or sample.is_of_another
        if not self.count:
            self.heap = sample.heap_bytes is not None
        memory = sample.memory(heap=self.heap)
        if memory is None:
            self.gaps += sample.event != "ended"
            return
        if not self.count:
            self.first, self._t0 = memory, sample.t_s
        t, y = sample.t_s - self._t0, memory - self.first
        self._sums = tuple(a + b for a, b in zip(self._sums, (t, y, t * t, t * y), strict=True))  # type: ignore[assignment]
        self.count += 1
        self.last, self._t1 = memory, sample.t_s
        self.least, self.most = min(self.least, memory), max(self.most, memory)

    @property
    def seconds(self) -> float:
        """From the first reading to the last."""
        return self._t1 - self._t0 if self.count else 0.0

    @property
    def slope_per_minute(self) -> float | None:
        """Bytes a minute, by least squares; None where several processes have answered, or two readings at most."""
        t, y, tt, ty = self._sums
        spread = tt - t * t / self.count if self.count > 2 else 0.0
        return None if self.several or spread <= 0 else float(60 * (ty - t * y / self.count) / spread)


class CsvFile:
    """Writes samples line by line: whatever ends the watch, what was read is there.

    Raises:
        UsageError: the file is there already, or cannot be written.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self._path = path
        try:
            self._file: IO[str] = path.open("w" if force else "x", newline="", buffering=1, encoding="utf-8")
        except FileExistsError:
            raise UsageError(f"{path} is there already: give another --csv, or --force to write it anew.") from None
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror}): give another --csv.") from error
        self._writer = csv.writer(self._file, lineterminator="\n")
        try:
            self._writer.writerow(CSV_COLUMNS)
        except OSError as error:
            self.close()
            raise UsageError(f"{path} cannot be written ({error.strerror}): give another --csv.") from error

    def add(self, sample: Sample) -> None:
        """Append a sample.

        Raises:
            CannotRun: the file cannot be written any more, as on a disk that is full.
        """
        figures = (
            sample.heap_bytes, sample.resident_bytes, sample.live_jobs, sample.finished_jobs, sample.private_bytes,
        )  # fmt: skip
        utc = datetime.fromtimestamp(sample.at_s, UTC).isoformat(timespec="milliseconds")
        whole = ("" if figure is None else np.format_float_positional(figure, trim="-") for figure in figures)
        heap, resident, live, finished, private = whole
        try:
            self._writer.writerow([f"{sample.t_s:.6f}", heap, resident, live, finished, private, utc, sample.event])
        except OSError as error:
            raise CannotRun(f"{self._path} cannot be written any more ({error.strerror}).") from error

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # a line that could not be written is tried once more, and was told of
            self._file.close()
