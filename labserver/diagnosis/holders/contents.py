"""What an object's content is, as a number: addresses are used again, and content tells what is there by now.

No code of the application runs: objects of exact builtin types alone are read, and of a long one both ends.
"""

from typing import Any

import numpy as np

from labserver.heap.graph import HeapGraph, Indices, Mask

LEAVES = 8  # of an item: the first, from its own references down

_END = 64  # bytes or characters of each end
_DEEP = 4  # references between an item and a leaf
_WIDE = 32  # references of one object that are followed
_LEAST_NUMBER = 1 << 10  # smaller ones the interpreter keeps once for all
_SHORTEST = 2  # the same of texts
_LEAF_KINDS = np.array([id(cls) for cls in (str, bytes, float, int)])
_MANY = 3  # leaves of a holder's items: what so many say tells none of them apart
_NONE, _TEXT, _NUMBER, _COMMON, _FLAGS = 0, 1, 2, 4, 3  # of a leaf: none, what it is, whether many say the same; bits
_LARGEST = (1 << 63) - 1


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
        Shape (s, `LEAVES`); `agree` compares them.
    """
    parents, is_item = graph.parents(), np.zeros(len(graph.objects), dtype=bool)
    is_item[items] = True
    taken: list[list[int]] = [[] for _ in range(items.size)]
    level, of = items, np.arange(items.size)
    for _ in range(_DEEP + 1):
        are_leaves = np.isin(graph.types[level], _LEAF_KINDS)
        for node, item in zip(level[are_leaves].tolist(), of[are_leaves].tolist(), strict=True):
            if len(taken[item]) < LEAVES and not _is_kept_for_all(graph.objects[node]):
                taken[item].append(node)
        open_ = np.array([len(nodes) < LEAVES for nodes in taken], dtype=bool)
        inner = ~are_leaves & open_[of]
        level, of = level[inner], of[inner]
        if not level.size:
            break
        at, below = _references(graph, level)
        own = (parents[below] == level[at]) & ~is_item[below]
        level, first = np.unique(below[own], return_index=True)
        of = of[at[own]][first]
    return _numbers(graph, taken)


def agree(leaves: Indices, known: Indices) -> Mask:
    """Whether what items say does not tell them apart from those that were known; shape (s,).

    One of their leaves is the same, or one of the two has none. What many items of a holder say (a buffer of zeros, the
    word for a state) is found again at an address that is used again: it counts where the items have nothing else, or
    nothing else but numbers, which objects count up.

    Args:
        leaves: of the items now, shape (s, `LEAVES`).
        known: of the same ones then.
    """
    there, was_there = leaves != _NONE, known != _NONE
    own, was_own = there & (leaves & _COMMON == 0), was_there & (known & _COMMON == 0)
    same = (leaves >> _FLAGS)[:, :, None] == (known >> _FLAGS)[:, None, :]
    same &= there[:, :, None] & was_there[:, None, :]
    any_same = same.any(axis=(1, 2))
    own_same = (same & own[:, :, None] & was_own[:, None, :]).any(axis=(1, 2))
    silent = ~there.any(axis=1) | ~was_there.any(axis=1)
    nothing_own = ~own.any(axis=1) | ~was_own.any(axis=1)
    numbers_alone = ~(was_own & (known & _TEXT != 0)).any(axis=1)
    found: Mask = silent | own_same | (any_same & (nothing_own | numbers_alone))
    return found


def _is_kept_for_all(obj: Any) -> bool:
    """Whether the interpreter has but one object that says so."""
    kind = type(obj)
    if kind is int:
        return bool(-_LEAST_NUMBER < obj < _LEAST_NUMBER)
    return kind is not float and len(obj) < _SHORTEST


def _numbers(graph: HeapGraph, taken: list[list[int]]) -> Indices:
    """The leaves as numbers: the hash of content and address, and two flags."""
    rows = np.repeat(np.arange(len(taken)), [len(nodes) for nodes in taken])
    columns = np.array([column for nodes in taken for column in range(len(nodes))], dtype=np.int64)
    objects: list[Any] = [graph.objects[node] for nodes in taken for node in nodes]
    contents = np.array([content(obj) for obj in objects], dtype=np.int64)
    _, which, counts = np.unique(contents, return_inverse=True, return_counts=True)
    hashes = [hash((said, id(obj))) << _FLAGS & _LARGEST for said, obj in zip(contents.tolist(), objects, strict=True)]
    texts = np.array([type(obj) in {str, bytes} for obj in objects], dtype=bool)
    numbers = np.array(hashes, dtype=np.int64) | np.where(texts, _TEXT, _NUMBER)
    numbers |= np.where(counts[which] >= _MANY, _COMMON, 0)
    found = np.zeros((len(taken), LEAVES), dtype=np.int64)
    found[rows, columns] = numbers
    return found


def _references(graph: HeapGraph, nodes: Indices) -> tuple[Indices, Indices]:
    """The first references of each node: the index of the node, and to which; shapes (e,)."""
    counts = np.minimum(graph.starts[nodes + 1] - graph.starts[nodes], _WIDE)
    ends = np.cumsum(counts)
    edges = np.arange(ends[-1] if ends.size else 0) + np.repeat(graph.starts[nodes] - (ends - counts), counts)
    return np.repeat(np.arange(nodes.size), counts), graph.targets[edges]
