"""What was in a heap at one instant, as numbers: enough to tell later what came, what went and where it hung."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from labserver.heap.graph import HeapGraph, Indices, Mask
from labserver.heap.is_a import of_class

_POOLED = 512  # pymalloc serves up to so many bytes, in steps of 16
_TWO_BLOCKS = (list, dict, set, bytearray)  # one for the object, one for its items
_VALUES_APART = sys.implementation.name == "cpython" and sys.version_info < (3, 13)
_MANAGED_DICT = 1 << 4  # Py_TPFLAGS_MANAGED_DICT
_CHUNK_HEAD, _LEAST_CHUNK = 8, 32  # of the C library


@dataclass(frozen=True, slots=True)
class Baseline:
    """The objects of a heap, by address; b of them. It keeps numbers only, no object lives longer for it.

    Attributes:
        addresses: ascending, shape (b,).
        types: the addresses of their types, shape (b,).
        sizes: `sys.getsizeof` of each, bytes, shape (b,).
        allocated: what the allocators gave for each, bytes, shape (b,).
        parents: who referred to each on a shortest path from a root, as an index into these arrays; -1 for roots and
            for what no root reaches; shape (b,).
        garbage: which no root reached, shape (b,).
    """

    addresses: Indices
    types: Indices
    sizes: Indices
    allocated: Indices
    parents: Indices
    garbage: Mask

    def save(self, file: Path | IO[bytes]) -> None:
        """Write it to a file."""
        np.savez(file, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, file: Path | IO[bytes]) -> "Baseline":
        """Read it back."""
        with np.load(file) as arrays:
            return cls(**{name: arrays[name] for name in cls.__slots__})


def take_baseline(graph: HeapGraph) -> Baseline:
    """The heap as it is now."""
    order = np.argsort(graph.addresses)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    parents = graph.parents()[order]
    return Baseline(
        addresses=graph.addresses[order],
        types=graph.types[order],
        sizes=graph.sizes[order],
        allocated=allocated_for(graph)[order],
        parents=np.where(parents >= 0, place[parents], -1).astype(np.int32),
        garbage=graph.garbage[order],
    )


def allocated_for(graph: HeapGraph) -> Indices:
    """What the allocators gave for each object of a heap, bytes, shape (n,)."""
    head = np.zeros(graph.types.size, dtype=np.int64)
    for cls in _TWO_BLOCKS:
        head[graph.types == id(cls)] = sys.getsizeof(cls())
    items = np.where((head > 0) & (graph.sizes > head), graph.sizes - head, 0)
    return allocated(graph.sizes - items) + allocated(items) + _values(graph)


def _values(graph: HeapGraph) -> Indices:
    """What instances keep their attributes in, up to CPython 3.12: `sys.getsizeof` leaves it out; shape (n,).

    An array with a place for each attribute and one more, and a byte for each before it.
    """
    extra: Indices = np.zeros(graph.types.size, dtype=np.int64)
    if not _VALUES_APART:
        return extra
    kinds, first = np.unique(graph.types, return_index=True)
    flags = [of_class(type(graph.objects[at]), "__flags__") for at in first]
    managed = [kind for kind, flag in zip(kinds, flags, strict=True) if flag & _MANAGED_DICT]
    nodes = np.flatnonzero(np.isin(graph.types, managed))
    count = graph.starts[nodes + 1] - graph.starts[nodes]  # the attributes, and the class
    # One whose `__dict__` somebody has asked for refers to that alone.
    last = graph.targets[np.maximum(graph.starts[nodes + 1] - 1, 0)]
    before = graph.targets[np.maximum(graph.starts[nodes + 1] - 2, 0)]
    apart = (count != 2) | ((graph.types[last] != id(dict)) & (graph.types[before] != id(dict)))
    taken = allocated(8 * count + -(-(count + 2) // 8) * 8)
    extra[nodes] = np.where(apart & (count > 0), taken, 0)
    return extra


def allocated(sizes: Indices) -> Indices:
    """What the allocators give for objects of these sizes, bytes: CPython's in steps of 16, the C library's chunks."""
    pooled = -(-sizes // 16) * 16
    chunks = np.maximum(-(-(sizes + _CHUNK_HEAD) // 16) * 16, _LEAST_CHUNK)
    return np.where(sizes <= _POOLED, pooled, chunks)
