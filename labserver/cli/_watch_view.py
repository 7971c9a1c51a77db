"""A watch on the screen: a table with a sparkline on a terminal, a line a sample in a pipe."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from labserver.watch.sample import Sample
from labserver.watch.series import Account

_BARS = "▁▂▃▄▅▆▇█"
_ROWS = 10
_HOLE, _RESTART = "·", "│"


@contextmanager
def view(what: str, *, quiet: bool) -> Iterator[Callable[[Sample], None]]:
    """What is called with each sample, as it fits standard output.

    Args:
        what: is watched.
        quiet: show nothing.
    """
    console = Console()
    if quiet:
        yield lambda _: None
    elif not console.is_terminal:
        print(f"watching {what}", flush=True)
        yield lambda sample: print(line(sample), flush=True)
    else:
        with Live(console=console, refresh_per_second=8) as live:
            yield _Screen(what, console, live).show


class _Screen:
    def __init__(self, what: str, console: Console, live: Live) -> None:
        self._what, self._live = what, live
        # As many as fit on the narrowest line that is drawn; the screen must not grow with the watch.
        self._recent: deque[Sample] = deque(maxlen=max(console.width - 4, _ROWS))

    def show(self, sample: Sample) -> None:
        self._recent.append(sample)
        table = Table(
            "time", "heap", "resident", "private", "jobs kept", "jobs done", "event", box=None, header_style="bold"
        )
        for column in table.columns[1:6]:
            column.justify = "right"
        for row in list(self._recent)[-_ROWS:]:
            table.add_row(*_cells(row), style="yellow" if row.event else "")
        title = Text(f"watching {self._what}", "dim")
        self._live.update(Group(title, Text(sparkline(list(self._recent)), "cyan"), table))


def sparkline(recent: list[Sample]) -> str:
    """The followed memory as bars between its least and its most; gaps are dots, restarts strokes."""
    heap = any(sample.heap_bytes is not None for sample in recent)
    known = [memory for sample in recent if (memory := sample.memory(heap=heap)) is not None]
    if not known:
        return _HOLE * len(recent)
    low, spread = min(known), (max(known) - min(known)) or 1.0

    def bar(sample: Sample) -> str:
        memory = sample.memory(heap=heap)
        if memory is None:
            return _HOLE
        mark = _RESTART if sample.event.startswith("restart") else ""
        return mark + _BARS[round((memory - low) / spread * (len(_BARS) - 1))]

    return "".join(map(bar, recent))


def line(sample: Sample) -> str:
    """A sample as one line of text."""
    time, heap, resident, private, kept, done, event = _cells(sample)
    figures = (("heap", heap), ("resident", resident), ("private", private), ("kept", kept), ("done", done))
    return "  ".join(
        [time, *(f"{name} {value}" for name, value in figures if value != "–"), *([event] if event else [])]
    )


def words(account: Account) -> str:
    """The last words: what the series was, and what it does not prove."""
    if not account.count:
        return f"no reading; {account.gaps} gaps"
    slope = account.slope_per_minute
    trend = "no slope" if slope is None else f"slope {_mb(slope, sign=True)} a minute"
    followed = "heap" if account.heap else "resident memory"
    text = (
        f"{account.count} readings of {followed} in {account.seconds:.0f} s: first {_mb(account.first)}, "
        f"last {_mb(account.last)}, min {_mb(account.least)}, max {_mb(account.most)}, {trend}; "
        f"{account.gaps} gaps, {account.restarts} restarts"
    )
    advice = (
        "A slope in time is no verdict: it mixes load, garbage and warm-up. `labserver check` decides per finished job."
    )
    return f"{text}\n{advice}"


def _cells(sample: Sample) -> tuple[str, ...]:
    clock = datetime.fromtimestamp(sample.at_s).astimezone().strftime("%H:%M:%S")
    sizes = (sample.heap_bytes, sample.resident_bytes, sample.private_bytes)
    counts = (sample.live_jobs, sample.finished_jobs)
    return (
        clock,
        *("–" if size is None else _mb(size) for size in sizes),
        *("–" if count is None else f"{count:,.0f}" for count in counts),
        sample.event,
    )


def _mb(size: float, *, sign: bool = False) -> str:
    return f"{size / 1e6:{'+' if sign else ''},.2f} MB"
