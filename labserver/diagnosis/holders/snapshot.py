"""What was in a heap at one instant, as numbers: enough to tell later what came, what went and where it hung."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from labserver.heap.graph import HeapGraph, Indices, Mask
from labserver.heap.is_a import of_class
from labserver.heap.layout import instances

_POOLED = 512  # pymalloc serves up to so many bytes, in steps of 16
_TWO_BLOCKS = (list, dict, set, bytearray)  # one for the object, one for its items
_WORD = 8
_CHUNK_HEAD, _LEAST_CHUNK = 8, 32  # of the C library


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The objects of a heap, by address; b of them. It keeps numbers only, no object lives longer for it.

    Attributes:
        addresses: ascending, shape (b,).
        types: the addresses of their types, shape (b,).
        sizes: `sys.getsizeof` of each, bytes, shape (b,).
        allocated: what the allocators gave for each, bytes, shape (b,).
        parents: who referred to each on a shortest path from a root, as an index into these arrays; -1 for roots and
            for what no root reaches; shape (b,).
        garbage: which no root reached, shape (b,).
        references: how many references each had, shape (b,).
    """

    addresses: Indices
    types: Indices
    sizes: Indices
    allocated: Indices
    parents: Indices
    garbage: Mask
    references: Indices

    def save(self, file: Path | IO[bytes]) -> None:
        """Write it to a file."""
        np.savez(file, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, file: Path | IO[bytes]) -> "Snapshot":
        """Read it back."""
        with np.load(file) as arrays:
            return cls(**{name: arrays[name] for name in cls.__slots__})


def snapshot_of(graph: HeapGraph) -> Snapshot:
    """The heap as it is now."""
    order = np.argsort(graph.addresses)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    parents = graph.parents()[order]
    return Snapshot(
        addresses=graph.addresses[order],
        types=graph.types[order],
        sizes=graph.sizes[order],
        allocated=allocated_for(graph)[order],
        parents=np.where(parents >= 0, place[parents], -1).astype(np.int32),
        garbage=graph.garbage[order],
        references=np.diff(graph.starts)[order].astype(np.int32),
    )


def allocated_for(graph: HeapGraph) -> Indices:
    """What the allocators gave for each object of a heap, bytes, shape (n,)."""
    head = np.zeros(graph.types.size, dtype=np.int64)
    for cls in _TWO_BLOCKS:
        head[graph.types == id(cls)] = sys.getsizeof(cls())
    items = np.where((head > 0) & (graph.sizes > head), graph.sizes - head, 0)
    own = graph.sizes - items
    if not instances.is_known():
        return allocated(own) + allocated(items)
    nodes, values = _values(graph)
    apart = np.zeros_like(own)
    own[nodes] += values.behind
    apart[nodes] = values.apart
    dictionaries = np.flatnonzero(graph.types == id(dict))
    shared = dictionaries[instances.shares_keys(graph.addresses[dictionaries])]
    embedded = np.isin(graph.addresses[shared], values.dictionaries)
    items[shared] = np.where(embedded, 0, instances.table_bytes(items[shared] // _WORD))
    return allocated(own) + allocated(items) + allocated(apart)


def _values(graph: HeapGraph) -> tuple[Indices, instances.Values]:
    """The instances whose attributes may be outside of a dictionary, and where they are."""
    kinds, first = np.unique(graph.types, return_index=True)
    classes = [type(graph.objects[at]) for at in first.tolist()]
    flags = np.array([of_class(cls, "__flags__") for cls in classes], dtype=np.int64)
    sizes = np.array([of_class(cls, "__basicsize__") for cls in classes], dtype=np.int64)
    having = np.flatnonzero(flags & instances.HAS_VALUES)
    nodes = np.flatnonzero(np.isin(graph.types, kinds[having]))
    types = graph.types[nodes]
    return nodes, instances.values_of(graph.addresses[nodes], types, sizes[np.searchsorted(kinds, types)])


def unknown_sizes() -> tuple[str, ...]:
    """What `allocated_for` leaves out in this interpreter, a sentence each."""
    if instances.is_known():
        return ()
    note = "Where this interpreter keeps attributes is not known: what they take beside an instance is not counted."
    return (note,)


def allocated(sizes: Indices) -> Indices:
    """What the allocators give for objects of these sizes, bytes: CPython's in steps of 16, the C library's chunks."""
    pooled = -(-sizes // 16) * 16
    chunks = np.maximum(-(-(sizes + _CHUNK_HEAD) // 16) * 16, _LEAST_CHUNK)
    return np.where(sizes <= _POOLED, pooled, chunks)
