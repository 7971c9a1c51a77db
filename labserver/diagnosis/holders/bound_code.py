"""A bound kept by hand: the code compares `len(CACHE)` with a number, and removes something or adds nothing.

The code is read from its source. Where that is not there, or not of the code that runs, the bytecode says the same, as
far as this version of CPython's is known.
"""

import types
from collections.abc import Iterator, Sequence
from typing import Any

from labserver.diagnosis.holders.handling import Comparison, Handling, Place
from labserver.diagnosis.holders.handling_in_bytecode import handling_in_bytecode
from labserver.diagnosis.holders.handling_in_source import handling_in_source
from labserver.diagnosis.holders.sources import Sources, is_inline
from labserver.heap.is_a import (
    is_a,
    is_any,
    module_of,
    named,
    namespace_of,
    of_class,
    own_attribute,
    text_of,
    type_name,
)
from labserver.heap.tracemalloc_tools import short_path

# What holds the function behind a method or property. A class that is derived from these may say something else.
_BEHIND: dict[type, Any] = {
    staticmethod: vars(staticmethod)["__func__"],
    classmethod: vars(classmethod)["__func__"],
    property: property.fget,
}


def bound_in_code(owner: object, name: str | None, held: object, sources: Sources) -> tuple[int, str] | None:
    """The smallest number of entries that the code around a holder compares its length with before it removes some.

    Also the number up to which it adds some, where nothing is added anywhere without such a comparison.

    Args:
        owner: a module, a class, or an object with a class in Python, that refers to the holder.
        name: the global or attribute by which it does; None where it is an item.
        held: the holder.
        sources: where the code may be read.

    Returns:
        The number, and where it stands: `shop/cache.py:41 compares len(CACHE) with 1000`.
    """
    found = list(_found(owner, name, name, sources)) if name is not None else []
    if not is_any(held, (type, types.ModuleType)):
        found += _found(held, None, type_name(held), sources)
    return min(found, default=None)


def _found(owner: object, name: str | None, shown: str | None, sources: Sources) -> Iterator[tuple[int, str]]:
    handlings = list(_handlings(owner, name, sources))
    evicting = {text_of(place.function.__name__) for place, handling in handlings if handling.removes}
    guards = _guards(handlings)
    for place, handling in handlings:
        if handling.removes or not evicting.isdisjoint(place.code.co_names):
            guards += [(one, place) for one in handling.comparisons]
    for one, place in guards:
        where = f"{short_path(text_of(place.code.co_filename))}:{one.line}"
        yield one.limit, f"{where} compares len({shown}) with {one.limit}"


def _guards(handlings: Sequence[tuple[Place, Handling]]) -> list[tuple[Comparison, Place]]:
    """The comparison with the largest number, if something is added only where a comparison says that there is room."""
    if any(handling.adds_unasked for _, handling in handlings):
        return []
    guards = [(one, place) for place, handling in handlings if handling.adds for one in handling.comparisons]
    return sorted(guards, key=lambda guard: guard[0].limit)[-1:]


def _handlings(owner: object, name: str | None, sources: Sources) -> Iterator[tuple[Place, Handling]]:
    """What each function of an owner does with a container; nothing of those that do not spell its name."""
    for function in _functions(owner):
        for codes in _scopes(function.__code__):
            # To read code is slow, and most of a module has nothing to do with the holder.
            places = [Place(code, function, owner, name) for code in codes]
            spelt = [place for place in places if place.mentions]
            definition = sources.definition(codes[0]) if spelt else None
            if definition is not None:
                yield places[0], handling_in_source(definition, places[0])
            else:
                yield from ((place, handling_in_bytecode(place)) for place in spelt)


def _functions(owner: object) -> Iterator[types.FunctionType]:
    """The functions of a module, with its classes' methods, or of an object's class."""
    if is_a(owner, types.ModuleType):
        name = text_of(own_attribute(owner, "__name__"))
        classes = [cls for _, cls in named(namespace_of(owner)) if is_a(cls, type) and module_of(cls) == name]
        spaces = [owner, *classes]
    else:
        spaces = of_class(owner if is_a(owner, type) else type(owner), "__mro__")
    for space in spaces:
        for _, value in named(namespace_of(space)):
            function = _plain(value)
            # A name that is imported says nothing about this module's globals.
            if function is not None and (
                not is_a(owner, types.ModuleType) or function.__globals__ is namespace_of(owner)
            ):
                yield function


def _plain(value: object) -> types.FunctionType | None:
    """The Python function behind a function, method or property; decorated ones by what they wrap."""
    for _ in range(5):
        if is_a(value, types.FunctionType):
            wrapped = own_attribute(value, "__wrapped__")
            if not is_a(wrapped, types.FunctionType):
                return value
            value = wrapped
        elif is_any(value, tuple(_BEHIND)):
            value = next(behind.__get__(value) for kind, behind in _BEHIND.items() if is_any(value, kind))
        else:
            return None
    return None


def _scopes(code: types.CodeType) -> Iterator[list[types.CodeType]]:
    """A function's code with that of the comprehensions in it, then the same of each function and class within."""
    own, within = [code], list[types.CodeType]()
    for inside in own:
        for constant in inside.co_consts:
            if is_a(constant, types.CodeType):
                (own if is_inline(constant) else within).append(constant)
    yield own
    for one in within:
        yield from _scopes(one)
