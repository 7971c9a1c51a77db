"""What holders gained in each of the processes that serve together: a column a process, and who stands out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from labserver.amounts import count, number
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.heap.heap_growth import WorkerGain
from labserver.report.holder_chain import holder_name

_NAME_WIDTH = 28  # of a holder's name, before it is cut
_LEAST_NAME = 16  # as wide as the heading
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Uneven:
    """When the items of a holder count as unevenly shared out.

    Attributes:
        items: in all, of which fewer say nothing.
        times: an even share by which one process has more, or less, than it.
        errors: standard errors of an even share, as of counts of chance, beyond that.
    """

    items: int = 20
    times: float = 2.0
    errors: float = 4.0

    def outstanding(self, gains: Sequence[WorkerGain]) -> list[WorkerGain]:
        """Those that have far more or far less than an even share; of what one has alone, that one.

        Others that have nothing may serve nobody, as a process that only starts the others.
        """
        having = [one for one in gains if one.items > 0]
        total = sum(one.items for one in having)
        if total < self.items:
            return []
        if len(having) == 1:
            return having
        even = total / len(having)
        chance = self.errors * math.sqrt(even)
        low, high = even / self.times - chance, self.times * even + chance
        return [one for one in having if not low <= one.items <= high]


UNEVEN = Uneven()


@dataclass(frozen=True, slots=True)
class Row:
    """A holder.

    Attributes:
        name: of it, with its number in the answer.
        cells: the items in each process.
        uneven: what stands out, in words; empty where nothing does.
    """

    name: str
    cells: tuple[str, ...]
    uneven: str


def processes_of(result: CheckResult) -> tuple[int, ...]:
    """The processes, by their numbers; none where there is one."""
    return next((tuple(gain.pid for gain in one.workers) for one in result.holders if len(one.workers) > 1), ())


def rows_of(result: CheckResult) -> list[Row]:
    """A row for each holder, in their order; none where one process serves."""
    if not processes_of(result):
        return []
    return [
        Row(f"{at}. {holder_name(one)}", tuple(number(gain.items) for gain in one.workers), uneven_in_words(one))
        for at, one in enumerate(result.holders, 1)
    ]


def uneven_in_words(holder: NamedHolder) -> str:
    """Which process has far more of a holder's items than the others, or far less; empty where it is even."""
    gains = holder.workers
    outstanding = UNEVEN.outstanding(gains)
    if not outstanding:
        return ""
    total, most = sum(one.items for one in gains), max(gains, key=lambda one: one.items)
    told = most if 2 * most.items > total else outstanding[0]
    return f"uneven: process {told.pid} has {number(told.items)} of the {count(total, 'item')}"


def lines_of(result: CheckResult, width: int) -> list[str]:
    """The table for a terminal, of as many processes as fit; below it who stands out. Empty for one process."""
    pids, rows = processes_of(result), rows_of(result)
    if not rows:
        return []
    cells = [tuple(map(str, pids)), *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    name_width = max(_LEAST_NAME, min(_NAME_WIDTH, max(len(row.name) for row in rows)))
    fit, used = 0, name_width
    while fit < len(widths) and used + len(_GAP) + widths[fit] <= width - len(_more(len(widths) - fit - 1)):
        used += len(_GAP) + widths[fit]
        fit += 1
    more = _more(len(widths) - fit)
    names = ["items by process", *(row.name for row in rows)]
    table = [
        _cut(name, name_width).ljust(name_width)
        + "".join(_GAP + cell.rjust(size) for cell, size in zip(line[:fit], widths, strict=False))
        + (more if at == 0 else "")
        for at, (name, line) in enumerate(zip(names, cells, strict=True))
    ]
    return [*table, *(f"{row.name}: {row.uneven}" for row in rows if row.uneven)]


def table_of(result: CheckResult) -> str:
    """The same as HTML; empty for one process."""
    pids, rows = processes_of(result), rows_of(result)
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{pid}</th>' for pid in pids)
    lines = [
        f'<tr><th scope="row">{escape(row.name)}</th>{"".join(f"<td>{cell}</td>" for cell in row.cells)}</tr>'
        for row in rows
    ]
    body = [f'<thead><tr><th scope="col">items by process</th>{head}</tr></thead>', "<tbody>", *lines, "</tbody>"]
    said = "".join(f"<p>{escape(row.name)}: {escape(row.uneven)}.</p>" for row in rows if row.uneven)
    return f'<div class="wide"><table class="contents">{"".join(body)}</table></div>{said}'


def _more(left: int) -> str:
    return f"{_GAP}and {left} more" if left > 0 else ""


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}…"
