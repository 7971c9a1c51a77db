"""How one function handles a container: asks for its length, takes something out, adds to it or hands it on."""

import builtins
import contextlib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labserver.diagnosis.holders.functions import Routine, scopes
from labserver.diagnosis.holders.spelling import Spelling, SpellingKind
from labserver.heap.is_a import is_a, named, namespace_of, of_class

REMOVING = frozenset(
    {
        *("pop", "popitem", "popleft", "clear", "discard", "remove", "__delitem__", "cache_clear"),
        *("difference_update", "intersection_update", "symmetric_difference_update"),
    }
)
ADDING = frozenset(
    {"append", "appendleft", "add", "insert", "extend", "extendleft", "setdefault", "update", "__setitem__"}
)
ANEW = frozenset({"<module>", "__init__", "__new__", "__post_init__"})
"""The code that gives a container its first value, which replaces nothing, and its first items."""
REMOVING_FUNCTIONS = frozenset({"heappop", "heapreplace", "heappushpop"})
"""Of the standard library, made in C: they take something out of their argument."""
ADDING_FUNCTIONS = frozenset({"heappush", "insort", "insort_left", "insort_right"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of a container's length with a number, and the line that it begins on."""

    limit: int
    line: int


@dataclass(frozen=True, slots=True)
class Account:
    """Two numbers that are held against each other, one of which may be an owner's account of what it keeps.

    Attributes:
        name: of the one that may be the account, an attribute or a global.
        value: what it is now.
        limit: the other number.
        limit_name: its name; empty for a constant.
        line: where they are.
        by_size: whether the account is counted by the size of what comes and goes.
    """

    name: str
    value: int
    limit: int
    limit_name: str
    line: int
    by_size: bool = False


@dataclass(frozen=True, slots=True)
class HandedOn:
    """A call that gets the container.

    Attributes:
        called: the function; None where nobody knows which.
        parameter: what the container is called there.
    """

    called: types.FunctionType | None
    parameter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """What a function does with a container.

    Attributes:
        removals: the lines where it takes something out.
        replacements: the lines where the container's name gets another value.
        adds: whether it adds something.
        adds_unasked: whether it does so where no comparison has said that there is room.
        comparisons: of its length.
        accounts: numbers that are held against each other.
        counted: the attributes and globals that the function counts up or down, and whether by the size of something.
        calls: the functions that it calls, by name, and on which line: its owner's methods, globals.
        gives_back: whether it returns the container.
        tells_length: whether it returns the container's length.
        handed_on: the functions that get the container from it.
        loses_sight: whether it does something with the container that is not followed.
    """

    removals: tuple[int, ...] = ()
    replacements: tuple[int, ...] = ()
    adds: bool = False
    adds_unasked: bool = False
    comparisons: tuple[Comparison, ...] = ()
    accounts: tuple[Account, ...] = ()
    counted: Mapping[str, bool] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    gives_back: bool = False
    tells_length: bool = False
    handed_on: tuple[HandedOn, ...] = ()
    loses_sight: bool = False


# Never compared by its fields: that would ask the application's objects what they equal.
@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A function's code, and what the names in it stand for.

    Attributes:
        code: the function's, or of one that is defined within it.
        routine: for its globals and defaults.
        owner: whose attributes a number may be.
        spelling: how the code spells the container.
        me: what `self` is; None where nobody knows.
        own: whether `self` is the container's owner, so that its attribute of that name is the container.
        lengths: the functions and properties that tell the container's length.
        related: other names that make the code of interest: of functions that take something out.
        doubtful: whether any attribute of that name will do.
    """

    code: types.CodeType
    routine: Routine
    owner: object
    spelling: Spelling
    me: object = None
    own: bool = True
    lengths: frozenset[str] = frozenset()
    related: frozenset[str] = frozenset()
    doubtful: bool = False

    @property
    def mentions(self) -> bool:
        """Whether the container, or what has to do with it, is spelt there at all."""
        spelling = self.spelling
        if spelling.kind is SpellingKind.OWN:
            return self.first is not None
        known: set[str] = set()
        for code in next(scopes(self.code)):
            known |= {*code.co_names, *code.co_freevars, *code.co_cellvars}
            if spelling.kind is SpellingKind.LOCAL:
                known |= set(code.co_varnames)
        return not known.isdisjoint({spelling.name, *self.lengths, *self.related})

    @property
    def first(self) -> str | None:
        """The name of the method's first parameter, mostly `self`; None where it has none."""
        return self.code.co_varnames[0] if self.code.co_argcount else None

    @property
    def is_method(self) -> bool:
        """Whether the code is a method's, by its name."""
        within = self.code.co_qualname.rpartition(".")[0]
        return bool(within) and not within.endswith("<locals>")

    def number(self, names: Sequence[str]) -> int | None:
        """The number that a dotted name stands for: `MOST`, `self.most`, `self.config.most`, `settings.MOST`."""
        found = self.resolved(names)
        if found is None and len(names) > 1:  # `cache.most` with a variable of the function
            found = attribute_of(self.owner, names[-1])
        return whole(found)

    def resolved(self, names: Sequence[str]) -> object:
        """What a dotted name stands for; None where nobody knows."""
        first = names[0]
        if first == self.first and self.is_method:
            found = self.me
        elif first in self.code.co_varnames:
            return None
        elif first in self.code.co_freevars:
            found = self._free(first)
        else:
            found = attribute_of(self.routine.namespace, first)
            found = attribute_of(builtins, first) if found is None else found
        for name in names[1:]:
            found = attribute_of(found, name)
        return found

    def default(self, name: str) -> int | None:
        """The number that a parameter stands for where nothing else is given."""
        function: Any = self.routine.function
        if function is None or function.__code__ is not self.code:
            return None
        values = function.__defaults__ or ()
        names = self.code.co_varnames[self.code.co_argcount - len(values) : self.code.co_argcount]
        keywords: dict[str, object] | None = function.__kwdefaults__
        found = dict(zip(names, values, strict=False)) | dict(named(keywords))
        return whole(found.get(name))

    def _free(self, name: str) -> object:
        function = self.routine.function
        if function is None or function.__code__ is not self.code:
            return None
        for variable, cell in zip(self.code.co_freevars, function.__closure__ or (), strict=False):
            if variable == name:
                with contextlib.suppress(ValueError):  # it is empty
                    return cell.cell_contents
        return None


def whole(found: object) -> int | None:
    """A number of entries or bytes: a whole one, also where it is written `1e6`."""
    if type(found) is float and found.is_integer():
        return int(found)
    return found if type(found) is int else None


def attribute_of(owner: object, name: str) -> object:
    """What an object has under a name, or a dictionary under a key; None where it has nothing."""
    if owner is None:
        return None
    if type(owner) is dict:
        return next((value for key, value in named(owner) if key == name), None)
    return next((value for key, value in attributes(owner) if key == name), None)


def attributes(owner: object) -> Iterator[tuple[str, object]]:
    """An object's own attributes and slots, and what its classes define, the nearest first."""
    if is_a(owner, type):
        for base in of_class(owner, "__mro__"):
            yield from named(namespace_of(base))
        return
    yield from named(namespace_of(owner))
    for base in of_class(type(owner), "__mro__"):
        for name, value in named(namespace_of(base)):
            if is_a(value, types.MemberDescriptorType):
                with contextlib.suppress(AttributeError, TypeError):  # an empty slot; another class's
                    yield name, value.__get__(owner)
            else:
                yield name, value
