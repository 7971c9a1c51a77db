"""One notebook's execution as the engine sees it: its clock, its kernel, where it is, and how it failed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from labserver.suite.kernel import Kernel
from labserver.suite.result import Status
from labserver.suite.stop import Stop

_LABEL_LENGTH = 60
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CellProgress:
    """A code cell that starts: the ``number``-th of ``total``, ``seconds`` after the notebook did."""

    notebook: str
    number: int
    total: int
    label: str
    seconds: float

    def line(self) -> str:
        """The progress line."""
        return f"{self.notebook}  cell {self.number}/{self.total}  {self.label}  {self.seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a notebook did not get to its end, and the number of the cell it was in."""

    status: Status
    cell: int | None
    message: str


class Session:
    """What one notebook's run knows.

    Args:
        notebook: its name without suffix.
        kernel: runs it.
        deadline_s: seconds that the whole notebook may take, from now.
        stop: tells when the user wants it to end.
        on_cell: called when a code cell starts.
    """

    def __init__(
        self,
        notebook: str,
        kernel: Kernel,
        deadline_s: float,
        stop: Stop,
        on_cell: Callable[[CellProgress], None],
    ) -> None:
        self.notebook = notebook
        self.kernel = kernel
        self.deadline_s = deadline_s
        self.stop = stop
        self.failure: Failure | None = None
        self._on_cell = on_cell
        self._started = monotonic()

    def remaining_s(self) -> float:
        """Seconds left; not more than zero when the deadline has passed."""
        return self._started + self.deadline_s - monotonic()

    def cell_starts(self, number: int, total: int, label: str) -> None:
        """Report the cell that starts."""
        self._on_cell(CellProgress(self.notebook, number, total, label, monotonic() - self._started))

    def why_not_go_on(self, number: int) -> Failure | None:
        """The failure that forbids to start cell ``number``, if any."""
        if self.stop.signal:
            return Failure(Status.INTERRUPTED, number, f"{self.stop.signal} interrupted the run in cell {number}")
        if self.remaining_s() <= 0:
            return self.timeout(number)
        return None

    def timeout(self, number: int) -> Failure:
        """The failure of a notebook whose time is up."""
        return Failure(Status.TIMEOUT, number, f"The deadline of {self.deadline_s:g} s passed in cell {number}")


def code_cells(notebook: Any) -> list[int]:
    """The indices of the cells that run; the n-th of them is ``In [n]``."""
    return [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]


def cell_label(notebook: Any, index: int) -> str:
    """What a cell is about: the heading before it, or its own first line, on one short line."""
    for cell in reversed(notebook.cells[:index]):
        headings = _HEADING.findall(cell.source) if cell.cell_type == "markdown" else []
        if headings:
            return _short(headings[-1])
    return _short(notebook.cells[index].source.strip().splitlines()[0].lstrip("# "))


def _short(text: str) -> str:
    printable = "".join(character for character in text if character.isprintable())
    return printable if len(printable) <= _LABEL_LENGTH else printable[: _LABEL_LENGTH - 1] + "…"
