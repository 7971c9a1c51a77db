"""The functions of a heap, by whose they are."""

import functools
import os
import sysconfig
import types
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from labserver.diagnosis.holders.sources import is_inline
from labserver.heap.graph import HeapGraph
from labserver.heap.is_a import is_a, is_any, named, namespace_of, of_class, own_attribute, text_of

# What holds the function behind a method or property. A class that is derived from these may say something else.
_BEHIND: dict[type, Any] = {
    staticmethod: vars(staticmethod)["__func__"],
    classmethod: vars(classmethod)["__func__"],
    property: property.fget,
    types.MethodType: vars(types.MethodType)["__func__"],
    functools.partial: vars(functools.partial)["func"],
}
_SETTING: tuple[Any, ...] = (property.fset, property.fdel)
_DEEPEST = 5  # decorators on one function
_PACKAGES = ("site-packages", "dist-packages")


# Never compared by its fields: that would ask the application's objects what they equal.
@dataclass(frozen=True, slots=True, eq=False)
class Routine:
    """Code that can run, with the names that it sees.

    Attributes:
        code: of a function, or of a frame that waits.
        namespace: its globals.
        function: whose code it is; None for a frame's.
    """

    code: types.CodeType
    namespace: dict[str, object]
    function: types.FunctionType | None = None


def routine_of(function: types.FunctionType) -> Routine:
    """A function as a routine."""
    return Routine(function.__code__, function.__globals__, function)


def plain(value: object) -> types.FunctionType | None:
    """The Python function behind a function, method, property or partial; decorated ones by what they wrap."""
    for _ in range(_DEEPEST):
        if is_a(value, types.FunctionType):
            wrapped = own_attribute(value, "__wrapped__")
            if not is_a(wrapped, types.FunctionType):
                return value
            value = wrapped
        elif is_a(value, functools.cached_property):
            value = own_attribute(value, "func")
        elif is_any(value, tuple(_BEHIND)):
            value = next(behind.__get__(value) for kind, behind in _BEHIND.items() if is_any(value, kind))
        elif is_a(value, functools._lru_cache_wrapper):  # noqa: SLF001 - the type has no public name
            value = own_attribute(value, "__wrapped__")
        else:
            return None
    return None


def methods(cls: type) -> Iterator[types.FunctionType]:
    """The functions of a class and of its bases, setters and deleters of properties included."""
    for base in of_class(cls, "__mro__"):
        for _, value in named(namespace_of(base)):
            found = [plain(value)]
            if is_a(value, property):
                # By the type's own descriptors: a class that is derived from it may have its own idea of an attribute.
                found += [plain(behind.__get__(value)) for behind in _SETTING]
            yield from (function for function in found if function is not None)


def scopes(code: types.CodeType) -> Iterator[list[types.CodeType]]:
    """A function's code with that of the comprehensions in it, then the same of each function and class within."""
    own, within = [code], list[types.CodeType]()
    for inside in own:
        for constant in inside.co_consts:
            if is_a(constant, types.CodeType):
                (own if is_inline(constant) else within).append(constant)
    yield own
    for one in within:
        yield from scopes(one)


def names_in(code: types.CodeType) -> frozenset[str]:
    """The globals and attributes that a function spells, those in the functions within it included."""
    return frozenset(text_of(name) for codes in scopes(code) for one in codes for name in one.co_names)


class Functions:
    """The functions that are alive in a heap, each code once.

    Args:
        graph: the heap.
    """

    def __init__(self, graph: HeapGraph) -> None:
        self._graph = graph
        self._by_globals: dict[int, list[types.FunctionType]] | None = None
        self._by_name: dict[str, list[types.FunctionType]] | None = None

    def of_globals(self, namespace: object) -> list[types.FunctionType]:
        """Those that have a module's namespace for their globals: its functions, its classes' methods, its closures."""
        return self._all().get(id(namespace), [])

    def of_application(self, name: str) -> list[types.FunctionType]:
        """Those that spell a name, in files that are neither the standard library's nor an installed package's."""
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for some in self._all().values():
                if is_of_application(text_of(some[0].__code__.co_filename)):
                    for function in some:
                        for spelt in names_in(function.__code__):
                            self._by_name[spelt].append(function)
        return self._by_name.get(name, [])

    def named(self, qualified: str) -> list[types.FunctionType]:
        """Those whose code has a qualified name."""
        return [one for some in self._all().values() for one in some if one.__code__.co_qualname == qualified]

    def _all(self) -> dict[int, list[types.FunctionType]]:
        if self._by_globals is None:
            found: dict[int, dict[int, types.FunctionType]] = defaultdict(dict)
            for node in np.flatnonzero(self._graph.types == id(types.FunctionType)).tolist():
                function: Any = self._graph.objects[node]
                found[id(function.__globals__)].setdefault(id(function.__code__), function)
            self._by_globals = {space: list(some.values()) for space, some in found.items()}
        return self._by_globals


def is_of_application(filename: str) -> bool:
    """Whether a file belongs to the application: not to the standard library, nor to an installed package."""
    installed = any(f"{os.sep}{folder}{os.sep}" in filename for folder in _PACKAGES)
    return not installed and not filename.startswith(("<frozen ", *_library()))


@functools.cache
def _library() -> tuple[str, ...]:
    return tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
