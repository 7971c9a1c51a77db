"""What a heap file says, as data: types, sizes, references and names of a heap, and none of its contents."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labserver.heap.edge import Edge, attribute
from labserver.heap.layout.objects import Indices
from labserver.heap.message import Message
from labserver.heap.root import Root

Mask = npt.NDArray[np.bool_]

NAMESPACE = attribute("__dict__")
"""How an object refers to the dictionary behind its attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About(Message):
    """Where a heap comes from.

    Attributes:
        python: the implementation and version of the process.
        pid: the process.
        started: when that began, seconds since 1970; together with the pid it tells one process from all others.
        taken: when, as `2026-01-31T12:00:00+00:00`.
        target: as it was named.
        complete: whether the whole heap was walked.
        with_names: whether keys and strings are told, shortened.
        notes: what could not be seen, a sentence each.
    """

    python: str = ""
    pid: int = 0
    started: float = 0.0
    taken: str = ""
    target: str = ""
    complete: bool = True
    with_names: bool = False
    notes: tuple[str, ...] = ()

    def is_same_process(self, other: "About") -> bool:
        """Whether both are of one process, in which an address stands for one object while it lives."""
        # Two readings of the start may be a clock's tick apart.
        return self.pid == other.pid != 0 and abs(self.started - other.started) < 1.0


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type by its name and its module."""

    name: str
    module: str

    def __str__(self) -> str:
        """Give it as it is known: `dict`, `shop.jobs.Job`."""
        return self.name if self.module in {"builtins", ""} else f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class CodeLine:
    """Where a code object begins."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ThreadStack:
    """A thread by name, and what it was doing: `shop/jobs.py:41 in render`, the innermost line first."""

    name: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class Record:
    """A heap of n objects and m references.

    Attributes:
        about: where it comes from.
        type_names: the types.
        edges: how objects refer to others, of which each is used by many.
        types: the type of each object, an index into `type_names`, shape (n,).
        sizes: bytes of each, shape (n,).
        addresses: of each, shape (n,).
        starts: object i's references are `targets[starts[i]:starts[i + 1]]`; shape (n + 1,).
        targets: the objects referred to, shape (m,).
        edge_of: how, an index into `edges`, shape (m,).
        modules: how many objects are modules; they come first.
        roots: what holds the roots that are no modules, by object.
        cycles: the objects from which all garbage is reached, shape (c,).
        garbage: what only waits for the collector, ascending, shape (g,).
        names: of modules, classes, functions and code objects.
        lines: where code objects begin.
        threads: that ran.
        texts: strings, shortened, by object; none without names.
        checksums: of the whole of each such string, in the same order; what differs is not the same string.
    """

    about: About
    type_names: list[TypeName]
    edges: list[Edge]
    types: Indices
    sizes: Indices
    addresses: Indices
    starts: Indices
    targets: Indices
    edge_of: Indices
    modules: int
    roots: dict[int, Root]
    cycles: Indices
    garbage: Indices
    names: dict[int, str]
    lines: dict[int, CodeLine]
    threads: list[ThreadStack]
    texts: dict[int, str] = field(default_factory=dict)
    checksums: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
