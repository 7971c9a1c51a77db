"""The chain from a root to an object, with named edges; and objgraph's own chain as a cross-check."""

import types
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from labserver.heap.analyst import analyst_objects
from labserver.heap.chain import Chain, Link, in_one_line, step
from labserver.heap.edge import VALUE, Edge, EdgeKind
from labserver.heap.edges import fold, namespace, plain_key
from labserver.heap.graph import HeapGraph, Indices, path_to
from labserver.heap.is_a import bases_of, is_a, of_class, own_attribute, text_of, type_name

_REPEATS = 4  # of the same step, from which on a chain says how often
_PERIODS = (1, 2, 3)  # `Node.next`; `Node.children → […]`; …


def chain_to(graph: HeapGraph, node: int, parents: Indices) -> Chain:
    """The shortest chain from a root to a node."""
    nodes = path_to(node, parents)
    links = chain_of([graph.objects[index] for index in nodes])
    if nodes[0] in graph.local_roots:
        links[0] = replace(links[0], name=graph.local_roots[nodes[0]].title)
    return Chain(tuple(links))


def chain_of(objects: Sequence[object]) -> list[Link]:
    """Name a path of objects; what nobody wrote, such as a namespace, is folded into the edge that it spells."""
    return _named(objects)[0]


def keys_of(objects: Sequence[object]) -> list[str | None]:
    """For each link of a path the key under which its object stands, as code writes it; None for no plain one."""
    links, ends = _named(objects)
    return [
        plain_key(objects[at - 1], objects[at]) if link.edge == VALUE else None
        for link, at in zip(links, ends, strict=True)
    ]


def _named(objects: Sequence[object]) -> tuple[list[Link], list[int]]:
    """The links of a path, and which object each is."""
    # A module may have been given a class of its own.
    kind = "module" if is_a(objects[0], types.ModuleType) else type_name(objects[0])
    links = [Link(None, kind, _name(objects[0]), bases_of(type(objects[0])))]
    ends = [0]
    while ends[-1] < len(objects) - 1:
        at = ends[-1]
        rest = objects[at + 1 : at + 9]
        if len(rest) == 1 and namespace(objects[at], rest[0]) is not None:
            break
        edge, covered = fold(objects[at], rest)
        child = objects[at + covered]
        # Of many modules in a table, each has a name of its own, by which equal paths would not compare.
        one_of_many = edge.is_one_of_many and is_a(child, types.ModuleType)
        name = type_name(child) if one_of_many else _name(child)
        links.append(Link(edge, type_name(child), name, bases_of(type(child))))
        ends.append(at + covered)
        _collapse(objects, links, ends)
    return links, ends


def objgraph_chain(obj: object, *, ignore: Sequence[object] = (), max_depth: int = 20) -> Chain | None:
    """objgraph's shortest chain of back-references from a module, or None where it finds none.

    It finds none through containers that the collector does not track. Each step of its search scans the whole heap.

    Args:
        obj: what the chain leads to.
        ignore: objects that are not followed, besides the analyst's own.
        max_depth: the longest chain.
    """
    import objgraph  # noqa: PLC0415 - a cross-check that no check of a service needs

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


def _collapse(objects: Sequence[object], links: list[Link], ends: list[int]) -> None:
    """Replace a step that repeats at the end of the links by one link, and skip the objects that go on like this."""
    for period in _PERIODS:
        length = period * _REPEATS
        steps = [(link.edge, link.type) for link in links[-period:]]
        if len(links) <= length or [(link.edge, link.type) for link in links[-length:]] != steps * _REPEATS:
            continue
        kinds = [id(type(obj)) for obj in objects[ends[-1 - period] + 1 : ends[-1] + 1]]
        at, times = ends[-1] + 1, _REPEATS
        while [id(type(obj)) for obj in objects[at : at + len(kinds)]] == kinds and fold(
            objects[at - 1], objects[at : at + 9]
        ) == (steps[0][0], ends[-period] - ends[-1 - period]):
            at, times = at + len(kinds), times + 1
        repeated = in_one_line(step(owner, link) for owner, link in pairwise(links[-1 - period :]))
        links[-length:] = [replace(links[-1], edge=Edge(EdgeKind.REPEATED, repeated, number=times))]
        ends[-length:] = [at - 1]
        return


def _name(obj: object) -> str:
    if is_a(obj, types.ModuleType):
        return text_of(own_attribute(obj, "__name__"))
    if is_a(obj, type):
        return text_of(of_class(obj, "__qualname__"))
    return text_of(obj.__qualname__) if is_a(obj, types.FunctionType) else type_name(obj)
