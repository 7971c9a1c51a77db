"""The bound that a cache keeps: what fills up to it is no leak, however long that takes.

It is read from plain attributes and from the code around, which is read and not run.
"""

import contextlib
import functools
import re
import types
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labserver.diagnosis.holders.bound_code import bound_in_code
from labserver.diagnosis.holders.handling import attributes
from labserver.diagnosis.holders.sources import Sources
from labserver.heap.chains import chain_of
from labserver.heap.is_a import is_a, is_any, own_attribute, text_of, type_name

# Owners from the holder upwards whose attributes and code say something about it: a dictionary and the object that has
# it. A third is an application or a session, whose `limit` is of something else.
_NAMED = 2
# `maxsize`, `max_entries`, `_Cache__maxsize`, `capacity`, `size_limit`, …
_WHAT = r"(size|len|length|entries|entry|items|keys|count|elements|records|objects|results|jobs)"
_BOUND = re.compile(
    rf"_*(\w+__)?(max(imum)?_?{_WHAT}|{_WHAT}_?(limit|cap|max)|capacity|cap|limit)", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True, slots=True)
class Bound:
    """What a holder keeps at most.

    Attributes:
        entries: how many.
        said_by: what says so: `Cache.maxsize`, or `shop/cache.py:41 compares len(CACHE) with 1000`.
    """

    entries: int
    said_by: str


def bound_of(path: Sequence[object], sources: Sources | None = None) -> Bound | None:
    """The smallest bound that a holder keeps, by what it or its owners say; None where none says so.

    Args:
        path: the objects from a root to the holder, each referring to the next.
        sources: of this look, where others are read, too.
    """
    sources = sources or Sources()
    bounds: list[Bound] = []
    for owner, name, held in _owners(path):
        with contextlib.suppress(Exception):  # an object or a code that cannot be read says nothing
            bounds += _declared(held)
            bounds += _declared(owner)
            if (said := bound_in_code(owner, name, held, sources)) is not None:
                bounds.append(Bound(*said))
    return min((bound for bound in bounds if bound.entries > 0), key=lambda bound: bound.entries, default=None)


def _owners(path: Sequence[object]) -> Iterator[tuple[object, str | None, object]]:
    """From the holder upwards: an owner, the name by which it refers to what it holds, and that."""
    if len(path) == 1:
        yield path[0], None, path[0]
    found = 0
    end = len(path) - 1
    while end > 0 and found < _NAMED:
        # A namespace lies between an object and what its attribute holds; naming the three folds it.
        links = chain_of(list(path[max(end - 2, 0) : end + 1]))
        folded = len(links) == min(end + 1, 3) - 1 and end > 1
        owner = path[end - 2] if folded else path[end - 1]
        edge = links[-1].edge
        yield owner, None if edge is None else edge.attribute, path[end]
        found += 1
        end -= 2 if folded else 1


def _declared(owner: object) -> Iterator[Bound]:
    kind = type_name(owner)
    if is_a(owner, deque):
        most = deque.maxlen.__get__(owner)
        if most is not None:
            yield Bound(most, f"{kind}.maxlen")
    elif is_a(owner, functools._lru_cache_wrapper):  # noqa: SLF001 - the type has no public name
        size = _in_closure(own_attribute(owner, "cache_parameters"), "maxsize")
        if type(size) is int:
            name = text_of(own_attribute(owner, "__qualname__"), kind)
            yield Bound(size, f"{name}.cache_parameters()['maxsize']")
    elif not is_any(owner, (types.ModuleType, type)):
        yield from (
            Bound(value, f"{kind}.{name}")
            for name, value in attributes(owner)
            if type(value) is int and _BOUND.fullmatch(name)
        )


def _in_closure(function: object, name: str) -> object:
    """The value of a function's variable that an outer function has given it; None where it has none."""
    if not is_a(function, types.FunctionType):
        return None
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return next((cell.cell_contents for variable, cell in cells if variable == name), None)
