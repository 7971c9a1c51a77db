"""The extension modules that an application's code calls, as far as its functions' names tell: nothing is run for it.

Memory that native code takes shows no holder and no line. Whoever looks for it begins with the extensions that are
nearest to the application's own lines.
"""

import dis
import sys
import types
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labserver.heap.analyst import is_analyst_module, loaded_modules
from labserver.heap.heap_growth import Extension
from labserver.heap.is_a import is_a, is_made_in_c, module_of, named, namespace_of, of_class, own_attribute, text_of
from labserver.heap.origin import Origin, origin_of
from labserver.heap.tracemalloc_tools import frame_at

_SUFFIXES = (".so", ".pyd", ".dylib")
# What every interpreter has built in (Modules/Setup.bootstrap of CPython): to call it says nothing. Others that are
# built into some, as zlib is, are extensions elsewhere.
_INTERPRETERS_OWN = frozenset(
    [
        "_abc",
        "_ast",
        "_codecs",
        "_collections",
        "_functools",
        "_imp",
        "_io",
        "_locale",
        "_operator",
        "_signal",
        "_sre",
        "_stat",
        "_string",
        "_suggestions",
        "_symtable",
        "_sysconfig",
        "_thread",
        "_tokenize",
        "_tracemalloc",
        "_types",
        "_typing",
        "_warnings",
        "_weakref",
        "atexit",
        "builtins",
        "errno",
        "faulthandler",
        "gc",
        "itertools",
        "marshal",
        "nt",
        "posix",
        "pwd",
        "sys",
        "time",
        "winreg",
    ]
)
_BUILT_IN = frozenset(sys.builtin_module_names) - _INTERPRETERS_OWN
_DEEPEST = 4  # functions and classes of others between the application and an extension
_MOST_CALLED = 20_000  # functions that are read
_MOST = 8
_RUN_UNNAMED = {"__init__", "__new__", "__call__", "__enter__", "__exit__"}
_WRAPPERS: tuple[tuple[type, Any], ...] = tuple(
    (kind, vars(kind)[name])
    for kind, name in ((staticmethod, "__func__"), (classmethod, "__func__"), (property, "fget"))
)


def called_extensions() -> tuple[Extension, ...]:
    """The extensions that the application's functions name, themselves or through what they call, the nearest first.

    Of those that are equally near, a library's come before the standard library's.
    """
    finder = _Finder()
    found = sorted(finder.find(), key=lambda one: (one.through, finder.is_standard(one.name)))
    return tuple(found[:_MOST])


@dataclass(frozen=True, slots=True)
class _Called:
    """A function that is called.

    Attributes:
        function: it.
        owner: the class that it is a method of.
        through: how far it is from the application.
        caller: the application's function that leads to it.
    """

    function: types.FunctionType
    owner: type | None
    through: int
    caller: types.FunctionType


class _Finder:
    def __init__(self) -> None:
        self._modules = {name: module for name, module in loaded_modules() if is_a(module, types.ModuleType)}
        self._files = {name: _file_of(module) for name, module in self._modules.items()}
        self._extensions = {
            name for name, file in self._files.items() if file.endswith(_SUFFIXES) or (not file and name in _BUILT_IN)
        }
        self._by_module = {id(self._modules[name]): name for name in self._extensions}
        self._by_class = dict(self._renamed())
        self._seen: set[int] = set()
        self._queue: deque[_Called] = deque()

    def is_standard(self, name: str) -> bool:
        """Whether an extension is the standard library's."""
        return name in _BUILT_IN or origin_of(self._files[name]) is Origin.STANDARD

    def find(self) -> Iterator[Extension]:
        """Each extension once, by the shortest way to it."""
        found: set[str] = set()
        for function, owner in self._own_functions():
            self._add(_Called(function, owner, 0, function))
        while self._queue and len(self._seen) < _MOST_CALLED:
            called = self._queue.popleft()
            names = set(_names_in(called.function.__code__))
            for value in self._values(called, names):
                extension = self._extension_of(value)
                if extension is not None:
                    if extension not in found:
                        yield Extension(extension, _in_words(called.caller), called.through)
                    found.add(extension)
                elif called.through < _DEEPEST:
                    for function, owner in _functions_of(value, names):
                        self._add(_Called(function, owner, called.through + 1, called.caller))

    def _own_functions(self) -> Iterator[tuple[types.FunctionType, type | None]]:
        """The functions that the application's modules define, and their classes' methods."""
        for name, file in self._files.items():
            if not file or is_analyst_module(name) or origin_of(file) is not Origin.APPLICATION:
                continue
            for _, value in named(namespace_of(self._modules[name])):
                if is_a(value, types.FunctionType) and _defined_in(value) == name:
                    yield value, None
                elif is_a(value, type) and module_of(value) == name:
                    yield from ((one, value) for _, one in _methods(value))

    def _add(self, called: _Called) -> None:
        if id(called.function) not in self._seen:
            self._seen.add(id(called.function))
            self._queue.append(called)

    def _values(self, called: _Called, names: set[str]) -> Iterator[object]:
        """What the names in a function stand for: those of its module, of modules that it names, and of its class."""
        space = dict(named(called.function.__globals__))
        known = [space[name] for name in names & space.keys()]
        if not called.through:
            known += [self._modules[name] for name in _imported_by(called.function.__code__) if name in self._modules]
        for value in known:
            yield value
            if is_a(value, types.ModuleType) and id(value) not in self._by_module:
                inside = dict(named(namespace_of(value)))
                yield from (inside[name] for name in names & inside.keys())
        if called.owner is not None:
            yield from (method for name, method in _methods(called.owner) if name in names)

    def _extension_of(self, value: object) -> str | None:
        """The extension that a value is, or is made by."""
        if is_a(value, types.ModuleType):
            return self._by_module.get(id(value))
        if type(value) is types.BuiltinFunctionType:
            name = self._by_module.get(id(value.__self__)) or text_of(value.__module__)
        else:
            cls = value if is_a(value, type) else type(value)
            name = self._by_class.get(id(cls)) or module_of(cls)
        return name if name in self._extensions else None

    def _renamed(self) -> Iterator[tuple[int, str]]:
        """The classes of extensions that say that they are of the package around them, such as `numpy.ndarray`."""
        for name in self._extensions:
            for _, value in named(namespace_of(self._modules[name])):
                if is_a(value, type) and is_made_in_c(value) and name.startswith(f"{module_of(value)}."):
                    yield id(value), name


def _functions_of(value: object, names: set[str]) -> Iterator[tuple[types.FunctionType, type | None]]:
    """The functions that run where a value is called, or something of it that has one of the names."""
    if is_a(value, types.FunctionType):
        yield value, None
    elif not is_a(value, types.ModuleType):
        cls = value if is_a(value, type) else type(value)
        yield from ((method, cls) for name, method in _methods(cls) if name in names or name in _RUN_UNNAMED)


def _methods(cls: type) -> Iterator[tuple[str, types.FunctionType]]:
    """The methods of a class and its bases that are made in Python."""
    for base in of_class(cls, "__mro__"):
        for name, value in named(namespace_of(base)):
            # By identity: a class may have its own idea of what it equals.
            inside = next((inner for kind, inner in _WRAPPERS if type(value) is kind), None)
            function = value if inside is None else inside.__get__(value)
            if is_a(function, types.FunctionType):
                yield name, function


def _names_in(code: types.CodeType) -> Iterator[str]:
    """The names that a function and those inside it use."""
    yield from map(text_of, code.co_names)
    for inner in code.co_consts:
        if type(inner) is types.CodeType:
            yield from _names_in(inner)


def _imported_by(code: types.CodeType) -> Iterator[str]:
    """The modules that a function itself imports, and what it takes from them, if that is a module."""
    package = ""
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            package = text_of(step.argval)
            yield package
        elif step.opname == "IMPORT_FROM":
            yield f"{package}.{text_of(step.argval)}"


def _defined_in(function: types.FunctionType) -> str:
    return text_of(dict(named(function.__globals__)).get("__name__"))


def _in_words(function: types.FunctionType) -> str:
    code = function.__code__
    frame = frame_at(text_of(code.co_filename), code.co_firstlineno)
    return f"{text_of(code.co_qualname)} ({frame.file}:{frame.line})"


def _file_of(module: types.ModuleType) -> str:
    return text_of(own_attribute(module, "__file__"), "")
