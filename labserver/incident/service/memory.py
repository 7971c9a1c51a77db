"""The process's memory as the service reports it; whoever hosts the service measures it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple


class MemoryPool(NamedTuple):
    """A part of the process's memory, as its host measured it.

    Attributes:
        area: `heap` for what objects take, `nonheap` for the rest.
        id: What was measured, in a word.
        used: Bytes in use.
        committed: Bytes that the system has given for it.
        max: Most bytes that it may use; -1 where there is no bound.
    """

    area: str
    id: str
    used: int
    committed: int
    max: int = -1


Memory = Callable[[], Iterable[MemoryPool]]
