"""What an object's content is, as a number: addresses are used again, and content tells what is there by now.

No code of the application runs: objects of exact builtin types alone are read, and of a long one both ends.
"""

from typing import Any

import numpy as np

from labserver.heap.graph import HeapGraph, Indices

LEAVES = 8  # of an item: the first, from its own references down

_END = 64  # bytes or characters of each end
_DEEP = 4  # references between an item and a leaf
_WIDE = 32  # references of one object that are followed
_LEAST_NUMBER = 1 << 10  # smaller ones the interpreter keeps once for all
_SHORTEST = 2  # the same of texts
_LEAF_KINDS = np.array([id(cls) for cls in (str, bytes, float, int)])
_NONE = 0


def content(obj: Any, *, nested: int = 2) -> int | None:
    """A number for what an object of an exact type says; None for any other.

    Args:
        obj: any object.
        nested: how deep tuples are followed.
    """
    kind = type(obj)
    if kind is str or kind is bytes:
        return hash((len(obj), obj if len(obj) <= 2 * _END else (obj[:_END], obj[-_END:])))
    if kind is int:
        bits = obj.bit_length()
        return hash((bits, obj if bits <= 8 * _END else obj >> (bits - 8 * _END)))
    if kind is float:
        return hash(obj)
    if kind is tuple and nested:
        parts = [content(part, nested=nested - 1) for part in obj[:LEAVES]]
        return None if None in parts else hash((len(obj), *parts))
    return None


def leaves_of(graph: HeapGraph, items: Indices) -> Indices:
    """A number for each of the first leaves of some items: what it says, and its address; 0 for none.

    A leaf is a text or a number that the item alone has, by the shortest paths from a root.

    Args:
        graph: the heap.
        items: nodes, each once, shape (s,).

    Returns:
        Shape (s, `LEAVES`).
    """
    parents = graph.parents()
    found = np.zeros((items.size, LEAVES), dtype=np.int64)
    taken = np.zeros(items.size, dtype=np.int64)
    is_item = np.zeros(len(graph.objects), dtype=bool)
    is_item[items] = True
    level, of = items, np.arange(items.size)
    for _ in range(_DEEP + 1):
        are_leaves = np.isin(graph.types[level], _LEAF_KINDS)
        _take(graph, level[are_leaves], of[are_leaves], found, taken)
        inner = ~are_leaves & (taken[of] < LEAVES)
        level, of = level[inner], of[inner]
        if not level.size:
            break
        at, below = _references(graph, level)
        own = (parents[below] == level[at]) & ~is_item[below]
        level, first = np.unique(below[own], return_index=True)
        of = of[at[own]][first]
    return found


def _take(graph: HeapGraph, nodes: Indices, of: Indices, found: Indices, taken: Indices) -> None:
    """Add leaves to those found of the items `of`, as far as there is room."""
    for node, item in zip(nodes.tolist(), of.tolist(), strict=True):
        at = taken[item]
        if at < LEAVES and (number := _leaf(graph.objects[node])):
            found[item, at] = number
            taken[item] = at + 1


def _leaf(obj: Any) -> int:
    kind = type(obj)
    if kind is int and -_LEAST_NUMBER < obj < _LEAST_NUMBER:
        return _NONE
    if kind in {str, bytes} and len(obj) < _SHORTEST:
        return _NONE
    return hash((content(obj), id(obj)))


def _references(graph: HeapGraph, nodes: Indices) -> tuple[Indices, Indices]:
    """The first references of each node: the index of the node, and to which; shapes (e,)."""
    counts = np.minimum(graph.starts[nodes + 1] - graph.starts[nodes], _WIDE)
    ends = np.cumsum(counts)
    edges = np.arange(ends[-1] if ends.size else 0) + np.repeat(graph.starts[nodes] - (ends - counts), counts)
    return np.repeat(np.arange(nodes.size), counts), graph.targets[edges]
