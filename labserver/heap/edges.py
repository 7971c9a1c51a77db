"""Find how an object refers to another, as the code spells it that a reader would look for.

Some references lead over objects that nobody wrote: a namespace's dictionary, a closure's cells, the links of a cache.
Such plumbing is folded into the one edge that the code spells.
"""

import contextlib
import contextvars
import functools
import gc
import inspect
import itertools
import operator
import re
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue
from threading import local as ThreadLocal  # noqa: N812 - a class with a function's name
from typing import Any

import numpy as np

from labserver.heap.edge import C_FIELD, ITEM, KEY, MEMBER, UNKNOWN, VALUE, Edge, EdgeKind, attribute
from labserver.heap.is_a import (
    is_a,
    is_any,
    is_made_in_c,
    module_of,
    named,
    namespace_of,
    of_class,
    of_its_classes,
    text_of,
    type_name,
)
from labserver.heap.layout.fields import DECOMPRESSOR, decompressor_fields
from labserver.heap.roots import frame_locals

_MOST_KEYS = 10_000  # of a dictionary with more nobody has written the keys
_LONGEST_KEY = 48
# Words with a digit or two among them at most: no number that counts up, no time, nothing that was drawn by chance.
_PLAIN_KEY = re.compile(r"(?!.*[A-Za-z_]{25})(?:[A-Za-z_./][A-Za-z_ ./:@-]*(?:\d{1,2}[A-Za-z_ ./:@-]*)?)?")

Fold = tuple[Edge, int]
"""An edge, and how many of the objects that follow it covers."""

# Builtins whose computed attributes are safe to read and are where their references sit. A method's are not: its
# `__doc__` asks what it calls, the `__qualname__` of one that is made in C asks the class.
_READABLE = (
    types.FunctionType,
    types.CellType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.TracebackType,
    BaseException,
    functools.partial,
)
_READABLE_MODULES = ("_asyncio", "_queue", "_contextvars")
_MADE_WHEN_READ = ("__annotations__", "__dict__", "_callbacks")
_SUSPENDED = {
    types.GeneratorType: "gi_frame",
    types.CoroutineType: "cr_frame",
    types.AsyncGeneratorType: "ag_frame",
}
_ITEMS: dict[type[Any], Edge] = {list: ITEM, tuple: ITEM, deque: ITEM, set: MEMBER, frozenset: MEMBER}
_CONTAINERS: tuple[type[Any], ...] = (dict, *_ITEMS)  # all that they hold can be looked through
_ARGS, _KEYWORDS = vars(functools.partial)["args"], vars(functools.partial)["keywords"]
_CALLBACK = vars(weakref.ref)["__callback__"]
_HAMT = ("hamt", "hamt_bitmap_node", "hamt_array_node", "hamt_collision_node")
_CONSTANT, _WEAKREF_CALLBACK = Edge(EdgeKind.CODE_CONSTANT), Edge(EdgeKind.WEAKREF_CALLBACK)
_CACHE = functools._lru_cache_wrapper  # noqa: SLF001 - the type has no public name


def fold(owner: object, rest: Sequence[object]) -> Fold:
    """How an owner refers to what follows on a path.

    Args:
        owner: an object of the path.
        rest: what comes after it; at least one object.
    """
    with contextlib.suppress(Exception):  # what a type that is made in C answers may fail, and is one edge without name
        for kind, folded in _FOLDS:
            if is_any(owner, kind):
                found = folded(owner, rest)
                if found is not None:
                    return found
    return edge_to(owner, rest[0]), 1


def edge_to(owner: object, child: object) -> Edge:
    """How an owner refers to a child."""
    with contextlib.suppress(Exception):  # the same
        return next(_edges(owner, child), UNKNOWN)
    return UNKNOWN


def namespace(owner: object, child: object) -> dict[str, object] | None:
    """The child, if it is the dictionary behind the owner's attributes."""
    return child if is_a(child, dict) and namespace_of(owner) is child else None


def plain_key(owner: object, child: object) -> str | None:
    """The key under which a dictionary has a child, as code writes it; None where it is no name that somebody wrote."""
    if not is_a(owner, dict) or dict.__len__(owner) > _MOST_KEYS:
        return None
    keys = [key for key, value in list(dict.items(owner)) if value is child]
    if len(keys) != 1 or type(keys[0]) is not str or len(keys[0]) > _LONGEST_KEY:
        return None
    return repr(keys[0]) if _PLAIN_KEY.fullmatch(keys[0]) else None


def _edges(owner: object, child: object) -> Iterator[Edge]:
    """Every way in which an owner is known to refer to a child, the best first."""
    if is_a(owner, dict):
        if _is_among(child, list(dict.values(owner))):
            yield VALUE
        if _is_among(child, list(dict.keys(owner))):
            yield KEY
    elif is_a(owner, tuple):
        names = of_its_classes(owner, "_fields")
        if type(names) is tuple:
            fields = zip(names, tuple.__iter__(owner), strict=False)
            yield from (attribute(text_of(name)) for name, value in fields if value is child)
    for kind, edge in _ITEMS.items():
        # The kind's own iterator: a lazy collection may load itself, or never end.
        if is_a(owner, kind) and _is_among(child, list(kind.__iter__(owner))):
            yield edge
    yield from (attribute(name) for name, value in attributes_of(owner) if value is child)
    if child is type(owner):
        yield attribute("__class__")
    yield from _unspelt(owner, child)


def _is_among(child: object, held: list[Any]) -> bool:
    """Whether a child is one of some objects, by identity, in C: there may be a million of them."""
    return any(map(operator.is_, held, itertools.repeat(child)))


def attributes_of(owner: object) -> Iterator[tuple[str, object]]:
    """An object's references by name, without running any code of its own."""
    yield from named(namespace_of(owner))
    for base in of_class(type(owner), "__mro__"):
        computed = is_made_in_c(base) and (issubclass(base, _READABLE) or module_of(base) in _READABLE_MODULES)
        readable = (types.MemberDescriptorType, types.GetSetDescriptorType)[: 1 + computed]
        for name, descriptor in named(namespace_of(base)):
            if is_any(descriptor, readable) and name not in _MADE_WHEN_READ:
                with contextlib.suppress(Exception):  # an empty slot, an empty cell, a closed file
                    yield name, descriptor.__get__(owner)


def _unspelt(owner: object, child: object) -> Iterator[Edge]:
    """What can be said of a reference that has no name in the code."""
    kind = type_name(owner)
    if is_a(owner, np.ndarray):
        yield attribute("base") if child is np.ndarray.base.__get__(owner) else ITEM
    elif (name := _field(owner, child)) is not None:
        yield attribute(name)
    elif kind in _KNOWN:
        yield _KNOWN[kind]
    elif is_a(owner, types.FunctionType):
        yield attribute("__annotations__")
    elif of_its_classes(owner, "__next__") is not None:
        yield Edge(EdgeKind.ITERATED)
    elif callable(child):
        yield Edge(EdgeKind.CALLBACK)
    elif not is_any(owner, _CONTAINERS) and any(map(is_made_in_c, of_class(type(owner), "__mro__")[:-1])):
        yield C_FIELD


def _field(owner: object, child: object) -> str | None:
    """The computed attribute of a type of the standard library's behind which the child is."""
    if is_a(owner, DECOMPRESSOR):
        return next((name for name, value in decompressor_fields(owner).items() if value is child), None)
    for base in of_class(type(owner), "__mro__"):
        for name in _FIELDS.get(f"{module_of(base)}.{of_class(base, '__name__')}", ()):
            with contextlib.suppress(Exception):
                if is_made_in_c(base) and of_class(base, "__dict__")[name].__get__(owner) is child:
                    return name
    return None


# From CPython 3.13 on these are computed when they are read, in C and from a field.
_FIELDS = {
    "sqlite3.Connection": ("row_factory", "text_factory"),
    "sqlite3.Cursor": ("row_factory",),
    "_bz2.BZ2Decompressor": ("unused_data",),
    "_lzma.LZMADecompressor": ("unused_data",),
}
_KNOWN = {
    "Pickler": attribute("memo"),
    "Unpickler": attribute("memo"),
    "BytesIO": attribute("buffer"),
    "_BytesIOBuffer": attribute("source"),
    "memoryview": attribute("obj"),
    "managedbuffer": attribute("obj"),
    "void": attribute("base"),
    "flatiter": attribute("base"),
    "_tee_dataobject": Edge(EdgeKind.BUFFERED),
    "teedataobject": Edge(EdgeKind.BUFFERED),
    "SimpleQueue": ITEM,
    "mappingproxy": attribute("mapping"),
    "ContextVar": attribute("default"),
    "method": attribute("__self__"),
    "code": _CONSTANT,
    "weakref": _WEAKREF_CALLBACK,
    "ReferenceType": _WEAKREF_CALLBACK,
}


def _namespaced(owner: object, rest: Sequence[object]) -> Fold | None:
    found = namespace(owner, rest[0])
    if found is None or len(rest) == 1:
        return None
    names = [name for name, value in named(found) if value is rest[1]]
    # A notebook's `_` is one more name of whatever was shown last. A key that is no text names nothing.
    name = min(names, key=lambda name: name.startswith("_"), default="")
    return attribute(name) if name else edge_to(found, rest[1]), 2


def _function(owner: types.FunctionType, rest: Sequence[object]) -> Fold | None:
    if len(rest) < 2:
        return None
    holder, child, code = rest[0], rest[1], owner.__code__
    if holder is owner.__closure__ and is_a(holder, tuple):
        cells = zip(code.co_freevars, holder, strict=False)
        name = next((name for name, cell in cells if cell is child), "?")
        return Edge(EdgeKind.CLOSURE, name), min(3, len(rest))
    if holder is owner.__defaults__ and is_a(holder, tuple):
        names = code.co_varnames[code.co_argcount - tuple.__len__(holder) : code.co_argcount]
        return Edge(EdgeKind.DEFAULT, _which(zip(names, tuple.__iter__(holder), strict=False), child)), 2
    if holder is owner.__kwdefaults__ and is_a(holder, dict):
        return Edge(EdgeKind.KEYWORD_DEFAULT, _which(named(holder), child)), 2
    if holder is owner.__globals__ and is_a(holder, dict):
        return Edge(EdgeKind.GLOBAL, _which(named(holder), child)), 2
    return (_CONSTANT, min(3, len(rest))) if holder is code and child is code.co_consts else None


def _partial(owner: Any, rest: Sequence[object]) -> Fold | None:
    if len(rest) > 1 and rest[0] is _ARGS.__get__(owner):
        return Edge(EdgeKind.PARTIAL_ARGUMENT), 2
    keywords: dict[str, object] = _KEYWORDS.__get__(owner)
    if len(rest) > 1 and rest[0] is keywords:
        return Edge(EdgeKind.PARTIAL_KEYWORD, _which(named(keywords), rest[1])), 2
    return None


def _code(owner: types.CodeType, rest: Sequence[object]) -> Fold | None:
    return (_CONSTANT, 2) if len(rest) > 1 and rest[0] is owner.co_consts else None


def _suspended(owner: Any, rest: Sequence[object]) -> Fold | None:
    frame = getattr(owner, next(name for kind, name in _SUSPENDED.items() if is_any(owner, kind)))
    return None if frame is None else _frame(frame, rest)


def _frame(owner: types.FrameType, rest: Sequence[object]) -> Fold | None:
    """A local variable; one that a closure shares is in a cell."""
    variables = frame_locals(owner) if owner.f_code.co_flags & inspect.CO_OPTIMIZED else []
    place = text_of(owner.f_code.co_qualname).rpartition("<locals>.")[2], owner.f_lineno
    inside = 1 + (is_a(rest[0], types.CellType) and len(rest) > 1)
    for child, covered in ((rest[0], 1), (rest[inside - 1], inside)):
        for name, value in variables:
            if value is child:
                return Edge(EdgeKind.LOCAL, name, *place), covered
    if is_a(rest[0], types.FrameType):
        return attribute(
            "f_back"
        ), 1  # not read: in a forked child, the frame before another thread's outermost one is freed
    known = [(name, getattr(owner, name)) for name in ("f_globals", "f_code", "f_trace")]
    for name, value in known:
        if value is rest[0]:
            return attribute(name), 1
    # What is neither is on the evaluation stack: what a loop goes over, what an expression has so far.
    return Edge(EdgeKind.EVALUATED, "", *place), 1


def _cache(owner: object, rest: Sequence[object]) -> Fold | None:
    """A dictionary of results, or of links that have a key and a result each; the collector sees through the links."""
    tables = [held for held in gc.get_referents(owner) if type(held) is dict and namespace(owner, held) is None]
    way = int(any(held is rest[0] for held in tables))
    if way < len(rest) and type_name(rest[way]) == "_lru_list_elem":
        way += 1
    if way == len(rest) or any(value is rest[way] for _, value in attributes_of(owner)):
        return None
    is_key = any(key is rest[way] for table in tables for key in list(table))
    return Edge(EdgeKind.CACHE_KEY if is_key else EdgeKind.CACHE_VALUE), way + 1


def _context(owner: contextvars.Context, rest: Sequence[object]) -> Fold | None:
    way = 0
    while way < len(rest) - 1 and type_name(rest[way]) in _HAMT:
        way += 1
    name = next((text_of(variable.name) for variable, value in owner.items() if value is rest[way]), None)
    return (Edge(EdgeKind.CONTEXT_VARIABLE, name), way + 1) if name is not None else None


def _thread_local(_: object, rest: Sequence[object]) -> Fold | None:
    """A dictionary of one dictionary for each thread."""
    if len(rest) < 3 or not is_a(rest[1], dict):
        return None
    name = next((name for name, value in named(rest[1]) if value is rest[2]), None)
    return UNKNOWN if name is None else attribute(name), 3


def _through(kind: type | tuple[type, ...], edge: Edge) -> Callable[[Any, Sequence[object]], Fold | None]:
    """A fold of one inner object of a kind: what is in it is the owner's."""

    def folded(owner: object, rest: Sequence[object]) -> Fold | None:
        inner = len(rest) > 1 and is_any(rest[0], kind) and namespace(owner, rest[0]) is None
        return (edge, 2) if inner else None

    return folded


def _memory_view(_: object, rest: Sequence[object]) -> Fold | None:
    return (attribute("obj"), 2) if len(rest) > 1 and type_name(rest[0]) == "managedbuffer" else None


def _weak(owner: Any, rest: Sequence[object]) -> Fold | None:
    return (_WEAKREF_CALLBACK, 1) if rest[0] is _CALLBACK.__get__(owner) else None


def _bound(owner: types.BuiltinMethodType, rest: Sequence[object]) -> Fold | None:
    return (attribute("__self__"), 1) if rest[0] is owner.__self__ else None


def _which(pairs: Iterable[tuple[str, object]], child: object) -> str:
    return next((name for name, value in list(pairs) if value is child), "?")


_FOLDS: list[tuple[type | tuple[type, ...], Callable[[Any, Sequence[object]], Fold | None]]] = [
    (ThreadLocal, _thread_local),
    (object, _namespaced),
    (types.FunctionType, _function),
    (functools.partial, _partial),
    (types.CodeType, _code),
    (tuple(_SUSPENDED), _suspended),
    (types.FrameType, _frame),
    (_CACHE, _cache),
    (contextvars.Context, _context),
    (types.MappingProxyType, _through(dict, VALUE)),
    (SimpleQueue, _through(list, ITEM)),
    (memoryview, _memory_view),
    (weakref.ref, _weak),
    (types.BuiltinMethodType, _bound),
]
