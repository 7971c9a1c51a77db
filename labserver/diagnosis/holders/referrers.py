"""Everything that refers to a container, how its code spells that, and which code may."""

import functools
import inspect
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from labserver.diagnosis.holders.functions import Functions, Routine, methods, plain, routine_of
from labserver.diagnosis.holders.handling import REMOVING, attributes
from labserver.diagnosis.holders.spelling import Spelling, SpellingKind
from labserver.heap.edges import namespace
from labserver.heap.graph import HeapGraph, Indices
from labserver.heap.is_a import is_a, is_any, is_made_in_c, module_of, named, of_class, text_of, type_name
from labserver.heap.root import RootKind
from labserver.heap.roots import frame_locals

_MOST = 40  # referrers of one object: what more refer to is shared all over
_MOST_SECOND = 8  # owners of an owner
_DEEPEST = 2  # containers within containers
CONTAINERS: tuple[type[Any], ...] = (dict, list, tuple, set, frozenset, deque, OrderedDict, defaultdict)
"""Builtin containers, whose methods are known."""
_WAITING: dict[type, tuple[str, str]] = {
    types.GeneratorType: ("gi_frame", "gi_code"),
    types.CoroutineType: ("cr_frame", "cr_code"),
    types.AsyncGeneratorType: ("ag_frame", "ag_code"),
}
# Types made in C that take nothing out of what they refer to: views, iterators, what binds a method to it.
_HARMLESS = (types.MethodType, types.MappingProxyType, types.TracebackType, types.FunctionType)
_HARMLESS_ENDS = ("iterator", "_keys", "_values", "_items", "weakref", "ReferenceType")
# By which attributes an object calls something later: a thread, a timer, a handle of an event loop, a partial, a job.
_CALLS = (
    ("_target", "_args", "_kwargs"),
    ("function", "args", "kwargs"),
    ("_callback", "_args", ""),
    ("func", "args", "keywords"),
    ("func", "args", "kwargs"),
)


# Never compared by its fields: that would ask the application's objects what they equal.
@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """Code that may speak of a container.

    Attributes:
        routine: the code.
        me: what `self` is in it; None where nobody knows.
        own: whether it belongs to the referrer: its method, its module's function, a closure over it.
    """

    routine: Routine
    me: object = None
    own: bool = True


# Never compared by its fields: that would ask the application's objects what they equal.
@dataclass(frozen=True, slots=True, eq=False)
class Referrer:
    """One of those that refer to a container.

    Attributes:
        owner: a module, a class, an instance, a function, or the container around.
        node: its node; -1 where it has none.
        spelling: how code spells the container; None where no code can.
        voices: the code that may.
        readable: whether all its code can be read.
    """

    owner: object
    node: int
    spelling: Spelling | None = None
    voices: tuple[Voice, ...] = ()
    readable: bool = True


class Referrers:
    """Looks up who refers to what, against the direction of the graph's edges.

    Args:
        graph: the heap.
        functions: of the heap.
    """

    def __init__(self, graph: HeapGraph, functions: Functions) -> None:
        self._graph = graph
        self._functions = functions
        self._sources: dict[int, Indices] = {}
        spaces = [next((child for child in self._children(node)), -1) for node in range(graph.modules)]
        self._modules = {space: node for node, space in enumerate(spaces) if space >= 0}

    def of(self, node: int) -> list[Referrer]:
        """All that refer to a container, those through one container around it included."""
        found = list(self._of(node, 0, {node}))
        root = self._graph.local_roots.get(node)
        if root is not None:
            known = self._functions.named(root.function) if root.kind is RootKind.LOCAL else []
            voices = tuple(Voice(routine_of(function)) for function in known)
            found.append(
                Referrer(None, -1, Spelling(SpellingKind.LOCAL, root.name), voices, readable=bool(known))
                if root.kind is not RootKind.GLOBALS
                else Referrer(None, -1)
            )
        kind = type(self._graph.objects[node])
        if not is_made_in_c(kind):
            own = tuple(Voice(routine_of(function), self._graph.objects[node]) for function in methods(kind))
            found.append(
                Referrer(self._graph.objects[node], node, Spelling(SpellingKind.OWN), own, readable=_is_readable(kind))
            )
        return found

    def sources(self, node: int) -> Indices:
        """The nodes that refer to a node, each once."""
        if node not in self._sources:
            edges = np.flatnonzero(self._graph.targets == node)
            self._sources[node] = np.unique(np.searchsorted(self._graph.starts, edges, side="right") - 1)
        return self._sources[node]

    def is_namespace(self, node: int) -> bool:
        """Whether an object is the dictionary behind the attributes of another one."""
        return type(self._graph.objects[node]) is dict and bool(self._having(node))

    def owners(self, node: int) -> Iterator[int]:
        """The nodes that refer to a node, a namespace by what it belongs to."""
        for source in self.sources(node)[:_MOST].tolist():
            if type(self._graph.objects[source]) is dict and (having := self._having(source)):
                yield from having
            else:
                yield source

    def _of(self, node: int, items: int, seen: set[int]) -> Iterator[Referrer]:
        sources = self.sources(node)
        if sources.size > _MOST:
            yield Referrer(None, -1, readable=False)
        for source in sources[:_MOST].tolist():
            if source not in seen:
                yield from self._through(source, node, items, seen | {source})

    def _through(self, source: int, node: int, items: int, seen: set[int]) -> Iterator[Referrer]:
        """One object that refers to a container."""
        owner, held = self._graph.objects[source], self._graph.objects[node]
        if type(owner) is dict and (found := self._in_namespace(source, held, items)) is not None:
            yield from found
        elif is_a(owner, types.CellType):
            yield from self._closures(source, items)
        elif is_any(owner, (*_WAITING, types.FrameType)):
            yield self._waiting(source, held, items)
        elif is_any(owner, CONTAINERS):
            yield from self._around(source, node, items, seen)
        elif is_a(owner, functools.partial):
            yield from self._called_later(source, held, items)
        elif is_a(owner, types.BuiltinMethodType):
            adding = text_of(owner.__name__) not in REMOVING  # `add = CACHE.append`
            yield Referrer(owner, source, readable=adding and is_made_in_c(type(held)))
        elif is_made_in_c(type(owner)):
            harmless = is_any(owner, _HARMLESS) or type_name(owner).endswith(_HARMLESS_ENDS)
            yield Referrer(owner, source, readable=harmless)
        else:
            names = [name for name, value in attributes(owner) if value is held]
            yield from self._attribute(source, source, names, items)

    def _in_namespace(self, source: int, held: object, items: int) -> list[Referrer] | None:
        """A dictionary of variables or attributes; None for any other one."""
        space: Any = self._graph.objects[source]
        names = [name for name, value in named(space) if value is held]
        if owners := self._having(source):
            return [one for owner in owners for one in self._attribute(owner, source, names, items)]
        if functions := self._functions.of_globals(space):  # code that was executed apart from any module
            return list(self._global(space, source, functions, names, items))
        return list(self._defaults(source, names, items)) or None

    def _around(self, source: int, node: int, items: int, seen: set[int]) -> Iterator[Referrer]:
        """A container that has it as an item: whoever refers to that."""
        owner, held = self._graph.objects[source], self._graph.objects[node]
        if is_a(owner, tuple):
            names = _names_of_positions(owner, held)
            found = [*self._defaults(source, [], items, held), *self._arguments(source, held, items)]
            if found:
                yield from found
                return
            if names is not None:  # a named tuple's field
                yield from self._attribute(source, source, names, items)
        if items >= _DEEPEST:
            yield Referrer(owner, source, readable=False)
            return
        if not is_made_in_c(type(owner)):
            own = tuple(Voice(routine_of(function), owner) for function in methods(type(owner)))
            yield Referrer(owner, source, Spelling(SpellingKind.OWN, items=items + 1), own)
        yield from self._of(source, items + 1, seen)

    def _attribute(self, owner_node: int, source: int, names: Iterable[str], items: int) -> Iterator[Referrer]:
        """A module, a class, a function or an instance that has it under some names."""
        owner = self._graph.objects[owner_node]
        names = list(names)
        if not names:
            yield Referrer(owner, owner_node, readable=False)
        elif is_a(owner, types.ModuleType):
            space = self._graph.objects[source]
            yield from self._global(owner, owner_node, self._functions.of_globals(space), names, items)
        else:
            for name in names:
                yield self._attribute_of(owner, owner_node, Spelling(SpellingKind.ATTRIBUTE, name, items))

    def _attribute_of(self, owner: Any, node: int, spelling: Spelling) -> Referrer:
        if is_a(owner, types.FunctionType):
            return Referrer(owner, node, spelling, _voices(self._functions.of_globals(owner.__globals__), None))
        cls = owner if is_a(owner, type) else type(owner)
        own = list(methods(cls))
        me = None if is_a(owner, type) else owner
        voices: dict[int, Voice] = {id(function.__code__): Voice(routine_of(function), me) for function in own}
        for second in self._second(node):
            for function in methods(type(second)):
                voices.setdefault(id(function.__code__), Voice(routine_of(function), second, own=False))
        for space in self._knowing(node, cls, own):
            for function in self._functions.of_globals(space):
                voices.setdefault(id(function.__code__), Voice(routine_of(function), None, own=False))
        return Referrer(owner, node, spelling, tuple(voices.values()), _is_readable(cls))

    def _global(
        self, owner: object, node: int, functions: list[types.FunctionType], names: Iterable[str], items: int
    ) -> Iterator[Referrer]:
        own = {id(function.__code__) for function in functions}
        for name in names:
            others = [one for one in self._functions.of_application(name) if id(one.__code__) not in own]
            voices = (*_voices(functions, None), *(Voice(routine_of(one), None, own=False) for one in others))
            yield Referrer(owner, node, Spelling(SpellingKind.GLOBAL, name, items), voices)

    def _second(self, node: int) -> list[object]:
        """The instances of classes in Python that refer to an owner."""
        found = [self._graph.objects[owner] for owner in self.owners(node)]
        return [
            one
            for one in found
            if not is_made_in_c(type(one)) and not is_any(one, (type, types.ModuleType, *CONTAINERS))
        ][:_MOST_SECOND]

    def _knowing(self, node: int, cls: type, own: Iterable[types.FunctionType]) -> list[object]:
        """The namespaces of the modules that know an object: that have it, its class or its class's module."""
        spaces = {id(function.__globals__): function.__globals__ for function in own}
        known = [node, self._graph.find(cls)]
        known += [self._modules[at] for space in spaces.values() if (at := self._graph.find(space)) in self._modules]
        found: dict[int, object] = dict(spaces)
        for one in known:
            if one is not None:
                sources = self.sources(one)
                for source in sources[self._graph.types[sources] == id(dict)].tolist():
                    if source in self._modules:
                        found[source] = self._graph.objects[source]
        return list({id(space): space for space in found.values()}.values())

    def _having(self, space: int) -> list[int]:
        """What has a dictionary for its namespace."""
        if space in self._modules:
            return [self._modules[space]]
        held = self._graph.objects[space]
        sources = self.sources(space)[:_MOST].tolist()
        return [
            one
            for one in sources
            if not is_any(self._graph.objects[one], CONTAINERS)
            and namespace(self._graph.objects[one], held) is not None
        ]

    def _children(self, node: int) -> list[int]:
        first, last = self._graph.starts[node : node + 2].tolist()
        owner = self._graph.objects[node]
        return [
            child
            for child in self._graph.targets[first:last].tolist()
            if type(self._graph.objects[child]) is dict and namespace(owner, self._graph.objects[child]) is not None
        ]

    def _closures(self, cell: int, items: int) -> Iterator[Referrer]:
        """The functions that share a variable with one around them, and what waits within one."""
        content = self._graph.objects[cell]
        by_name: dict[str, list[types.FunctionType]] = defaultdict(list)
        for source in self.sources(cell)[:_MOST].tolist():
            closure = self._graph.objects[source]
            if is_any(closure, tuple(_WAITING)) or is_a(closure, types.FrameType):
                yield self._waiting(source, content, items)
            elif is_a(closure, tuple):
                for one in self.sources(source).tolist():
                    function = self._graph.objects[one]
                    if is_a(function, types.FunctionType) and function.__closure__ is closure:
                        cells = zip(function.__code__.co_freevars, closure, strict=False)
                        for name in [name for name, found in cells if found is content]:
                            by_name[name].append(function)
        for name, sharing in by_name.items():
            yield Referrer(None, -1, Spelling(SpellingKind.LOCAL, name, items), _voices(sharing, None))
        if not by_name:
            yield Referrer(content, cell, readable=False)

    def _defaults(self, source: int, names: list[str], items: int, held: object = None) -> Iterator[Referrer]:
        """The functions that have it as the default of a parameter."""
        space: Any = self._graph.objects[source]
        for one in self.sources(source)[:_MOST].tolist():
            function: Any = self._graph.objects[one]
            if type(function) is not types.FunctionType:
                continue
            if is_a(space, tuple) and function.__defaults__ is space:
                code = function.__code__
                last = code.co_varnames[code.co_argcount - tuple.__len__(space) : code.co_argcount]
                names = [name for name, value in zip(last, tuple.__iter__(space), strict=False) if value is held]
            elif function.__kwdefaults__ is not space:
                continue
            for name in names:
                yield Referrer(function, one, Spelling(SpellingKind.LOCAL, name, items), _voices([function], None))

    def _arguments(self, source: int, held: object, items: int) -> Iterator[Referrer]:
        for one in self.owners(source):
            yield from self._called_later(one, held, items)

    def _called_later(self, node: int, held: object, items: int) -> Iterator[Referrer]:
        """What an object will call with it: the parameter that gets it."""
        owner = self._graph.objects[node]
        having = dict(attributes(owner))
        for called, positional, keywords in _CALLS:
            function = plain(having.get(called))
            if function is None:
                continue
            first = int(is_a(having.get(called), types.MethodType))
            given, more = having.get(positional), having.get(keywords)
            names = _parameters(function.__code__, given, held, first) if is_any(given, (tuple, list)) else []
            names += [name for name, value in named(more) if value is held] if is_a(more, dict) else []
            for name in names:
                yield Referrer(owner, node, Spelling(SpellingKind.LOCAL, name, items), (Voice(routine_of(function)),))
            if names:
                return

    def _waiting(self, source: int, held: object, items: int) -> Referrer:
        """A generator, a coroutine or a frame that has it as a variable."""
        owner: Any = self._graph.objects[source]
        if is_a(owner, types.FrameType):
            frame, code = owner, owner.f_code
        else:
            frame_name, code_name = next(names for kind, names in _WAITING.items() if is_a(owner, kind))
            frame, code = getattr(owner, frame_name), getattr(owner, code_name)
        if frame is None or not code.co_flags & inspect.CO_OPTIMIZED:
            return Referrer(owner, source, readable=frame is None)
        names = [name for name, value in frame_locals(frame) if value is held]
        if not names:
            return Referrer(owner, source, readable=False)
        voice = Voice(Routine(code, frame.f_globals))
        return Referrer(owner, source, Spelling(SpellingKind.LOCAL, names[0], items), (voice,))


def _voices(functions: Iterable[types.FunctionType], me: object) -> tuple[Voice, ...]:
    return tuple(Voice(routine_of(function), me) for function in functions)


def _names_of_positions(owner: Any, held: object) -> list[str] | None:
    """The fields of a named tuple that an object is in; None for other tuples."""
    fields = next((value for name, value in attributes(owner) if name == "_fields"), None)
    if type(fields) is not tuple:
        return None
    return [name for name, value in zip(fields, tuple.__iter__(owner), strict=False) if value is held]


def _parameters(code: types.CodeType, given: Any, held: object, first: int) -> list[str]:
    """The parameters that get an object, where arguments are given by position."""
    names = code.co_varnames[first : code.co_argcount]
    kind = tuple if is_a(given, tuple) else list
    return [name for name, value in zip(names, kind.__iter__(given), strict=False) if value is held]


def _is_readable(cls: type) -> bool:
    """Whether what a class does is written in Python, or is known."""
    made_in_c = [base for base in of_class(cls, "__mro__") if is_made_in_c(base)]
    return all(module_of(base) in {"builtins", "collections", "types"} for base in made_in_c)
