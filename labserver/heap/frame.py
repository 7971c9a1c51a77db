"""A line of a call stack."""

from dataclasses import dataclass, field

from labserver.heap.message import Message
from labserver.heap.origin import Origin


def _origin(name: str) -> Origin:
    return Origin(name) if name in set(map(str, Origin)) else Origin.LIBRARY  # the service may have a newer labserver


@dataclass(frozen=True, slots=True)
class Frame(Message):
    """A line of code.

    Attributes:
        file: as an import would name it, or a notebook's cell.
        line: its number, from 1 on.
        function: qualified, or empty where no function encloses the line.
        origin: who wrote it.
        code: what stands there, of a notebook's cell alone: nobody can open it at its line.
    """

    file: str
    line: int
    function: str
    origin: Origin = field(default=Origin.LIBRARY, metadata={"read": _origin})
    code: str = ""

    def __str__(self) -> str:
        """Give the frame as `shop/jobs.py:41 in render`, or as `notebook cell [4], line 2: CACHE[key] = image`."""
        if self.code:
            return f"{self.file}, line {self.line}: {self.code}"
        return f"{self.file}:{self.line} in {self.function}" if self.function else f"{self.file}:{self.line}"

    @property
    def is_own(self) -> bool:
        """Whether it is a line of the application's: one that a reader can change."""
        return self.origin is Origin.APPLICATION
