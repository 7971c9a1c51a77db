"""The chain from a root to an object, with named edges; and objgraph's own chain as a cross-check."""

import contextlib
import functools
import types
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import objgraph

from labserver.heap.analyst import analyst_objects
from labserver.heap.graph import HeapGraph, Indices, frame_locals, path_to

# Builtins whose computed attributes are safe to read and are where their references sit.
_READABLE = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinMethodType,
    types.CellType,
    types.GeneratorType,
    types.CoroutineType,
    types.TracebackType,
    functools.partial,
)
_SUSPENDED = (types.GeneratorType, types.CoroutineType)


@dataclass(frozen=True, slots=True)
class Link:
    """One object of a chain.

    Attributes:
        edge: how the object before refers to it (`_jobs`, `['…']`, `[…]`, `local image`, `?` where it cannot be
            named); None for the root.
        type: the object's type, by name.
        name: what a reader calls it: a module's, class's or function's name, else its type.
    """

    edge: str | None
    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A path of references from a root to an object. Keys and indices are generalised, so that equal paths compare."""

    links: tuple[Link, ...]

    @property
    def path(self) -> str:
        """The chain in one line: `module shop.jobs → STORE → JobStore._jobs → ['…'] → JobResult.image → bytes`."""
        parts = [self.links[0].name]
        for owner, link in zip(self.links, self.links[1:], strict=False):
            edge = link.edge or "?"
            plain = edge[0] in "[{?" or edge.startswith("local ") or owner.type == "module"
            parts.append(edge if plain else f"{owner.name if owner.edge is not None else owner.type}.{edge}")
        return " → ".join([*parts, self.links[-1].type])


def chain_to(graph: HeapGraph, node: int, parents: Indices) -> Chain:
    """The shortest chain from a root to a node."""
    nodes = path_to(node, parents)
    links = chain_of([graph.objects[index] for index in nodes])
    if nodes[0] in graph.local_roots:
        links[0] = Link(None, links[0].type, graph.local_roots[nodes[0]])
    return Chain(tuple(links))


def chain_of(objects: list[object]) -> list[Link]:
    """Name a path of objects; the namespace of an object is folded into the attribute that it spells."""
    owner = objects[0]
    links = [Link(None, type(owner).__name__, _name(owner))]
    namespace: dict[str, object] | None = None
    for child in objects[1:]:
        if namespace is None and (namespace := _namespace(owner, child)) is not None:
            continue
        edge = _key(namespace, child) if namespace is not None else edge_name(owner, child)
        links.append(Link(edge, type(child).__name__, _name(child)))
        owner, namespace = child, None
    return links


def objgraph_chain(obj: object, *, ignore: Sequence[object] = (), max_depth: int = 20) -> Chain | None:
    """objgraph's shortest chain of back-references from a module, or None where it finds none.

    It finds none through containers that the collector does not track. Each step of its search scans the whole heap.

    Args:
        obj: what the chain leads to.
        ignore: objects that are not followed, besides the analyst's own.
        max_depth: the longest chain.
    """
    ignored = [*analyst_objects(), *ignore]
    found: list[object] = objgraph.find_backref_chain(
        obj,
        objgraph.is_proper_module,
        max_depth=max_depth,
        extra_ignore=[id(ignored), *map(id, ignored)],
    )
    try:
        # objgraph answers [obj] for "not found".
        return Chain(tuple(chain_of(found))) if len(found) > 1 else None
    finally:
        found.clear()
        ignored.clear()


def edge_name(owner: object, child: object) -> str:
    """How an owner refers to a child: an attribute, `['…']`, `[…]`, `{…}`, or `?`."""
    if isinstance(owner, dict):
        return "['…']" if any(value is child for value in list(owner.values())) else "{key}"
    if isinstance(owner, tuple) and hasattr(owner, "_fields"):
        return next((n for n, value in zip(owner._fields, owner, strict=False) if value is child), "[…]")
    if isinstance(owner, list | tuple | deque):
        return "[…]"
    if isinstance(owner, set | frozenset):
        return "{…}"
    return next((name for name, value in _attributes(owner) if value is child), "?")


def _attributes(owner: object) -> Iterator[tuple[str, object]]:
    """An object's references by name, without running any code of its own."""
    frame = (
        getattr(owner, "gi_frame", None) or getattr(owner, "cr_frame", None) if isinstance(owner, _SUSPENDED) else None
    )
    if frame is not None:
        yield from [(f"local {name}", value) for name, value in frame_locals(frame)]
    if isinstance(owner, type):
        yield from list(vars(owner).items())
    else:
        with contextlib.suppress(AttributeError):
            # Reading it makes the dictionary where there was none yet: some hundred bytes, for a chain's objects only.
            yield from list(object.__getattribute__(owner, "__dict__").items())
    readable = (types.MemberDescriptorType, types.GetSetDescriptorType)[: 1 + isinstance(owner, _READABLE)]
    for base in type(owner).__mro__:
        for name, descriptor in list(vars(base).items()):
            if isinstance(descriptor, readable):
                with contextlib.suppress(AttributeError, ValueError):  # an empty slot, an empty cell
                    yield name, descriptor.__get__(owner)


def _namespace(owner: object, child: object) -> dict[str, object] | None:
    """The child, if it is the dictionary behind the owner's attributes."""
    if not isinstance(child, dict):
        return None
    if isinstance(owner, type):
        return child if child.keys() == vars(owner).keys() and "__module__" in child else None
    if type(owner).__dictoffset__ == 0:
        return None
    try:
        return child if object.__getattribute__(owner, "__dict__") is child else None
    except AttributeError:
        return None


def _key(namespace: dict[str, object], child: object) -> str:
    return next((str(key) for key, value in list(namespace.items()) if value is child), "?")


def _name(obj: object) -> str:
    if isinstance(obj, types.ModuleType):
        return f"module {obj.__name__}"
    if isinstance(obj, type | types.FunctionType):
        return obj.__qualname__
    return type(obj).__name__
