"""How one function handles a container: whether it asks for its length, takes something out, or adds to it."""

import contextlib
import types
from collections.abc import Iterator
from dataclasses import dataclass

from labserver.heap.is_a import is_a, named, namespace_of, of_class

REMOVING = frozenset({"pop", "popitem", "popleft", "clear", "discard", "remove"})
ADDING = frozenset({"append", "appendleft", "add", "insert", "extend", "extendleft", "setdefault", "update"})
ANEW = frozenset({"<module>", "__init__"})
"""The code that gives a container its first value, which replaces nothing, and its first items."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of a container's length with a number, and the line that it begins on."""

    limit: int
    line: int


@dataclass(frozen=True, slots=True)
class Handling:
    """What a function does with a container.

    Attributes:
        removes: whether it takes something out, or replaces it.
        adds: whether it adds something.
        adds_unasked: whether it does so where no comparison has said that there is room.
        comparisons: of its length.
    """

    removes: bool
    adds: bool
    adds_unasked: bool
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A function's code, and what the names in it stand for.

    Attributes:
        code: the function's, or of one that is defined within it.
        function: for its globals.
        owner: whose attributes a number may be.
        name: the container's, as a global or attribute; None for the object itself, `self`.
    """

    code: types.CodeType
    function: types.FunctionType
    owner: object
    name: str | None

    def global_number(self, name: str) -> int | None:
        """The number that a global stands for."""
        return _number(dict(named(self.function.__globals__)).get(name))

    def attribute_number(self, name: str) -> int | None:
        """The number that an attribute stands for."""
        return _number(next((held for key, held in attributes(self.owner) if key == name), None))

    @property
    def mentions(self) -> bool:
        """Whether the container is spelt there at all."""
        if self.name is None:
            return "self" in self.code.co_varnames
        return any(self.name in names for names in (self.code.co_names, self.code.co_freevars, self.code.co_cellvars))


def _number(found: object) -> int | None:
    return found if type(found) is int else None


def attributes(owner: object) -> Iterator[tuple[str, object]]:
    """An object's own attributes and slots, and what its classes define, the nearest first."""
    if not is_a(owner, type):
        yield from named(namespace_of(owner))
    for base in of_class(type(owner), "__mro__"):
        for name, value in named(namespace_of(base)):
            if is_a(value, types.MemberDescriptorType):
                with contextlib.suppress(AttributeError, TypeError):  # an empty slot; another class's
                    yield name, value.__get__(owner)
            else:
                yield name, value
