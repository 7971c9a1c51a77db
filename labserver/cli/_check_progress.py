"""How far a check is, on stderr: two lines that change on a terminal, a line now and then in a pipe."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from labserver.amounts import number
from labserver.diagnosis.measure.options import CheckProgress
from labserver.report.headline import span

PLAIN_LINE_S = 3.0
_BAND = 40


class Watcher:
    """Called with each progress; keeps the last one, for a check that is interrupted."""

    last: CheckProgress | None = None

    def __call__(self, progress: CheckProgress) -> None:
        """Keep it, and show it."""
        self.last = progress
        self.show(progress)

    def show(self, progress: CheckProgress) -> None:
        """Nothing: this one is quiet."""


class _PlainLines(Watcher):
    """A line at each new phase, and one every few seconds."""

    def __init__(self) -> None:
        self._phase = ""
        self._shown = 0.0

    def show(self, progress: CheckProgress) -> None:
        if progress.phase != self._phase or time.monotonic() - self._shown >= PLAIN_LINE_S:
            self._phase, self._shown = progress.phase, time.monotonic()
            known = "" if progress.interval is None else f": {progress.interval}"
            line = f"{progress.seconds:.0f} s: {progress.phase}, {progress.jobs} jobs{known}"
            print(line, file=sys.stderr, flush=True)


class _LiveLines(Watcher):
    """A spinner with the phase, and below it the estimate with its interval as a band that narrows."""

    def __init__(self, live: Live, tolerance: float) -> None:
        self._live, self._tolerance = live, tolerance
        self._spinner = Spinner("dots")

    def show(self, progress: CheckProgress) -> None:
        table = Table.grid(padding=(0, 1))
        phase = Text.assemble((progress.phase, "bold"), f"  {progress.jobs:,} jobs  {progress.seconds:.0f} s")
        table.add_row(self._spinner, phase)
        if progress.interval is not None:
            interval = progress.interval
            known = f"{number(interval.estimate)} B/job ({span(interval)})"
            table.add_row("", Text.assemble(band(interval.low, interval.high, self._tolerance), "  ", known))
        self._live.update(table)


def band(low: float, high: float, tolerance: float) -> Text:
    """An interval as a band over an axis from minus to plus the largest bound, the tolerance as a stroke in it."""
    reach = 1.1 * max(abs(low), abs(high), 2 * tolerance)

    def column(value: float) -> int:
        return min(max(round((value + reach) / (2 * reach) * (_BAND - 1)), 0), _BAND - 1)

    cells = ["─"] * _BAND
    cells[column(0)] = "0"
    cells[column(low) : column(high) + 1] = "━" * (column(high) - column(low) + 1)
    cells[column(tolerance)] = "┃"
    line = Text("".join(cells), "bright_black")
    line.stylize("red" if low > tolerance else "green" if high < tolerance else "yellow", column(low), column(high) + 1)
    line.stylize("bold cyan", column(tolerance), column(tolerance) + 1)
    return line


@contextmanager
def watching(*, quiet: bool, tolerance: float) -> Iterator[Watcher]:
    """The watcher that fits stderr.

    Args:
        quiet: show nothing.
        tolerance: bytes per job, to draw.
    """
    console = Console(stderr=True)
    if quiet:
        yield Watcher()
    elif not console.is_terminal:
        yield _PlainLines()
    else:
        with Live(console=console, transient=True, refresh_per_second=8) as live:
            yield _LiveLines(live, tolerance)
