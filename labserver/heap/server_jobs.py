"""The jobs that a server itself counts, read from its objects in a copy of the process: none of its code runs.

Which objects, and which of their attributes, is data: `server_jobs.toml` beside this module.
"""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from labserver.heap.analyst import loaded_modules
from labserver.heap.graph import HeapGraph
from labserver.heap.is_a import is_a, module_of, of_class, own_attribute, text_of
from labserver.heap.wire import FinishedJobs

_CATALOGUE = Path(__file__).with_suffix(".toml")
_derived = type.__dict__["__subclasses__"]


@dataclass(frozen=True, slots=True)
class ServerCounter:
    """One entry of the catalogue.

    Attributes:
        server: what people call it.
        counts: the attributes that count, which are added up.
        type: the full name of the class whose instances have them; None where a module has.
        module: that module's name.
        only_with: an attribute without which, or with None in it, an instance does not count.
    """

    server: str
    counts: tuple[str, ...]
    type: str | None = None
    module: str | None = None
    only_with: str | None = None

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Self:
        """Read it as it is spelt.

        Raises:
            TypeError: a key is unknown or missing.
            ValueError: it names neither a class nor a module, or both.
        """
        found = cls(**entry | {"counts": tuple(entry.get("counts", ()))})
        if (found.type is None) == (found.module is None) or not found.counts:
            raise ValueError(f"{found.server} needs counts, and either a type or a module")
        return found


@cache
def catalogue() -> tuple[ServerCounter, ...]:
    """All entries, in their order."""
    return tuple(map(ServerCounter.of, tomllib.loads(_CATALOGUE.read_text(encoding="utf-8"))["counter"]))


def server_jobs(graph: HeapGraph, entries: Sequence[ServerCounter] | None = None) -> FinishedJobs | None:
    """The jobs that the servers in this process have finished; None where none of them counts any.

    Args:
        graph: the heap, the whole of it: of a part nobody knows whether all that count were met.
        entries: of the catalogue, where others are meant.
    """
    if not graph.complete:
        return None
    modules = dict(loaded_modules())
    found = [
        (entry.server, count)
        for entry in (catalogue() if entries is None else entries)
        for owner in _owners(entry, graph, modules)
        if (count := _count(owner, entry)) is not None
    ]
    if not found:
        return None
    return FinishedJobs(sum(count for _, count in found), ", ".join(dict.fromkeys(server for server, _ in found)))


def _owners(entry: ServerCounter, graph: HeapGraph, modules: dict[str, object]) -> Iterator[object]:
    """What may have an entry's attributes: the instances that are alive, or the module."""
    if entry.type is None:
        if entry.module in modules:
            yield modules[entry.module]
        return
    home, _, name = entry.type.rpartition(".")
    cls = own_attribute(modules.get(home), name)
    # Another package's class of that name, put into its place, is none of this one.
    if not is_a(cls, type) or module_of(cls) != home or text_of(of_class(cls, "__qualname__")) != name:
        return
    kinds = [id(one) for one in _with_derived(cls)]
    nodes = np.flatnonzero(np.isin(graph.types, kinds) & ~graph.garbage)
    yield from map(graph.objects.__getitem__, nodes.tolist())


def _with_derived(cls: type) -> list[type]:
    found, seen = [cls], {id(cls)}
    for one in found:
        # By `type` itself: a metaclass may have its own idea of what derives from its classes.
        for derived in _derived(one):
            if id(derived) not in seen:
                seen.add(id(derived))
                found.append(derived)
    return found


def _count(owner: object, entry: ServerCounter) -> int | None:
    """The sum of an owner's counts; None where one of them is no number."""
    if entry.only_with is not None and own_attribute(owner, entry.only_with) is None:
        return None
    counts = [_number(own_attribute(owner, name)) for name in entry.counts]
    return _sum(counts)


def _number(value: object) -> int | None:
    if type(value) is list and len(value) == 1:
        value = value[0]
    return value if type(value) is int else None


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if any(count is None for count in known) else sum(count for count in known if count is not None)
