"""From which module the path to a holder begins, where several are equally near: the one that a reader looks into."""

import types
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from labserver.heap.chains import chain_of
from labserver.heap.graph import HeapGraph, Indices, path_to
from labserver.heap.is_a import is_a, is_made_in_c, module_of, own_attribute, text_of
from labserver.heap.precedence import precedence_of

_DEEPEST = 12  # references between a module and a holder
_UNWRITTEN = 2  # more, for namespaces: the reader does not count these
_MOST = 256  # objects of one distance that are followed
_TRIED = 8  # modules, the best first


def rooted(graph: HeapGraph, parents: Indices, nodes: Sequence[int]) -> Indices:
    """The parents with the best of the shortest ways to some nodes, as a reader counts their steps.

    The best is from the module that defines what is held: its class or function, or that of the nearest object on the
    way; then the application's, a library's, the standard library's, and last those that were loaded to serve.

    Args:
        graph: the heap.
        parents: of its nodes, on shortest ways; shape (n,).
        nodes: to which the ways lead, the most important first.
    """
    ways = [path_to(node, parents) for node in nodes]
    ways = [way for way in ways if way[0] < graph.modules and 1 < len(way) <= _DEEPEST]
    found = parents.copy()
    if ways:
        owners = _owners(graph, parents, {way[-1]: len(way) - 1 + _UNWRITTEN for way in ways})
        for way in reversed(ways):
            for above, below in pairwise(_best_way(graph, owners, way)):
                found[below] = above
    return found


def _owners(graph: HeapGraph, parents: Indices, lengths: dict[int, int]) -> dict[int, list[int]]:
    """Who refers to some nodes, and to these, on ways from roots that are no longer than given for each node."""
    owners: dict[int, list[int]] = {}
    level: list[int] = []
    for length in range(max(lengths.values()), 0, -1):
        wanted = np.zeros(len(graph.objects), dtype=bool)
        wanted[[*level, *(node for node, own in lengths.items() if own == length)]] = True
        edges = np.flatnonzero(wanted[graph.targets])
        sources = np.searchsorted(graph.starts, edges, side="right") - 1
        distinct, which = np.unique(sources, return_inverse=True)
        depth = _depths(parents, distinct)
        followed = np.argsort(depth, kind="stable")[:_MOST]
        near = np.zeros(distinct.size, dtype=bool)
        near[followed[depth[followed] < length]] = True
        kept = near[which]
        for source, target in zip(sources[kept].tolist(), graph.targets[edges[kept]].tolist(), strict=True):
            owners.setdefault(target, []).append(source)
        level = distinct[near].tolist()
    return owners


def _depths(parents: Indices, nodes: Indices) -> Indices:
    """How many steps nodes are away from their roots, as far as that matters."""
    at, depth = nodes, np.zeros(nodes.size, dtype=np.int64)
    for _ in range(_DEEPEST + _UNWRITTEN):
        above = parents[at]
        depth += above >= 0
        at = np.where(above >= 0, above, at)
    return depth


def _best_way(graph: HeapGraph, owners: dict[int, list[int]], way: list[int]) -> list[int]:
    """The best way to where one ends that is no longer for a reader; the same where there is none."""
    following: dict[int, int] = {}
    level = [way[-1]]
    for _ in range(len(way) - 1 + _UNWRITTEN):
        above: list[int] = []
        for node in level:
            for owner in owners.get(node, ()):
                if owner not in following and owner != way[-1]:
                    following[owner] = node
                    above.append(owner)
        level = above
    definer = _definer([graph.objects[node] for node in way])

    def place(node: int) -> tuple[bool, int, bool, bool, int]:
        module = graph.objects[node]
        name = text_of(own_attribute(module, "__name__"), "")
        other_package = name.partition(".")[0] != definer.partition(".")[0]
        return name != definer, precedence_of(module), node != way[0], other_package, node

    modules = sorted((node for node in {*following, way[0]} if node < graph.modules), key=place)
    steps = len(chain_of([graph.objects[node] for node in way]))
    for module in modules[:_TRIED]:
        found = [module]
        while module != way[0] and found[-1] != way[-1]:
            found.append(following[found[-1]])
        if module == way[0] or len(chain_of([graph.objects[node] for node in found])) <= steps:
            return way if module == way[0] else found
    return way


def _definer(objects: Sequence[object]) -> str:
    """The module that defines the last object of a path, or the nearest above it that a module defines."""
    for obj in reversed(objects[1:]):
        if is_a(obj, types.FunctionType):
            return text_of(obj.__module__, "")
        cls = obj if is_a(obj, type) else type(obj)
        if not is_made_in_c(cls):
            return module_of(cls)
    return ""
