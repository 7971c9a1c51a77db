"""Samples the process into a curve: readings tied to finished jobs, on one monotonic clock."""

import csv
import time
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
import numpy.typing as npt

from labserver.heap.meters import Meter, Reading
from labserver.sampler import Sampler

COLUMNS = tuple(field.name for field in fields(Reading))


@dataclass(frozen=True, slots=True)
class Curve:
    """Readings in the order of time.

    Attributes:
        rows: shape (n, 5), float64; the columns are `Reading`'s fields. What was not read is NaN, never interpolated.
        marks: named instants (a load begins, it ends), seconds on the same clock as `t_s`.
    """

    rows: npt.NDArray[np.float64]
    marks: tuple[tuple[str, float], ...] = ()

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """One column by a `Reading` field's name, shape (n,)."""
        column: npt.NDArray[np.float64] = self.rows[:, COLUMNS.index(name)]
        return column

    @property
    def elapsed_s(self) -> npt.NDArray[np.float64]:
        """Seconds since the first reading, shape (n,)."""
        t = self.column("t_s")
        return t - t[0] if t.size else t

    @classmethod
    def from_csv(cls, path: Path) -> Self:
        """Read what a monitor or `labserver watch` wrote.

        A monitor's marks are not in the file; the events of a watch are: `gap`, `restart`, `ended` and the like.
        """
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        rows = [[float(line[name] or "nan") for name in COLUMNS] for line in lines]
        events = ((line.get("event") or "", row[0]) for line, row in zip(lines, rows, strict=True))
        marks = tuple((event.partition(":")[0], t) for event, t in events if event)
        return cls(np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS)), marks)


@dataclass(frozen=True, slots=True)
class Jitter:
    """How late the samples came, in seconds, and how many beats were missed altogether."""

    median_s: float
    p95_s: float
    max_s: float
    missed: int

    def __str__(self) -> str:
        """Give one line for people."""
        return (
            f"samples late by {self.median_s * 1e3:.1f} ms (median), {self.p95_s * 1e3:.1f} ms (p95), "
            f"{self.max_s * 1e3:.0f} ms (max); {self.missed} missed"
        )


class Monitor:
    """Samples a meter from a thread of its own until the block ends.

    The readings go to an array that is made before the first one, so that the monitor does not grow what it measures;
    when it is full, every second row is dropped and the interval of the rows in memory doubles. The CSV has them all
    and is written line by line: what was read up to a crash is there.

    Args:
        meter: what is sampled.
        interval_s: seconds from one sample to the next, on a fixed grid: a late sample does not shift the others.
        csv_path: where the readings are written, or None.
        capacity: rows kept in memory, at least 2.
    """

    def __init__(self, meter: Meter, *, interval_s: float, csv_path: Path | None = None, capacity: int = 8192) -> None:
        self._meter = meter
        self._csv_path = csv_path
        self._file: IO[str] | None = None
        self._rows = np.zeros((capacity, len(COLUMNS)))
        self._late = np.zeros(capacity)
        self._count = 0
        self._keep_every = 1
        self._kept_beat = -1
        self._marks: list[tuple[str, float]] = []
        self._sampler = Sampler(self._take, interval_s=interval_s, name="labserver-monitor")

    def __enter__(self) -> Self:
        if self._csv_path is not None:
            # Line by line: a killed process leaves every reading but the one under way.
            self._file = self._csv_path.open("w", buffering=1, encoding="utf-8")
            self._file.write(",".join(COLUMNS) + "\n")
        self._sampler.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self._sampler.__exit__(kind, error, tb)
        finally:
            if self._file is not None:
                self._file.close()

    def mark(self, name: str) -> None:
        """Name this instant."""
        self._marks.append((name, time.monotonic()))

    @property
    def running(self) -> bool:
        """Whether samples are still taken: until the block ends, or the meter fails."""
        return self._sampler.running

    @property
    def curve(self) -> Curve:
        """What was read so far; a copy."""
        return Curve(self._rows[: self._count].copy(), tuple(self._marks))

    @property
    def jitter(self) -> Jitter:
        """How late the samples came."""
        late = self._late[: self._count]
        if not late.size:
            return Jitter(0.0, 0.0, 0.0, self._sampler.missed)
        return Jitter(float(np.median(late)), float(np.percentile(late, 95)), float(late.max()), self._sampler.missed)

    def _take(self, beat: int, due: float) -> None:
        reading = self._meter.read()
        if self._file is not None:
            self._file.write(
                f"{reading.t_s:.6f},{reading.traced_bytes},{reading.resident_bytes},"
                f"{reading.live_jobs},{reading.finished_jobs}\n"
            )
        # The first of every few beats: of those that are missed, each could be the one.
        if beat // self._keep_every > self._kept_beat // self._keep_every:
            self._keep(reading, reading.t_s - due)
            self._kept_beat = beat

    def _keep(self, reading: Reading, late_s: float) -> None:
        if self._count == len(self._rows):
            # Arrays of their own, after the count: another thread may be reading the old ones.
            self._count = len(self._rows[::2])
            self._rows, self._late = _thinned(self._rows), _thinned(self._late)
            self._keep_every *= 2
        row = self._rows[self._count]
        row[:] = (
            reading.t_s,
            reading.traced_bytes,
            reading.resident_bytes,
            reading.live_jobs,
            reading.finished_jobs,
        )
        self._late[self._count] = late_s
        self._count += 1


def _thinned(array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Every second row, and as many free ones."""
    thinned = np.zeros_like(array)
    thinned[: len(array[::2])] = array[::2]
    return thinned
