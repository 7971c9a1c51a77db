"""Who holds the buffers that came since a baseline, and how much each holder would free."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labserver.heap.chains import Chain, chain_to
from labserver.heap.graph import HeapGraph, Indices, path_to
from labserver.heap.tracemalloc_tools import Frame, allocated_at

_BUFFERS = (bytes, bytearray)


@dataclass(frozen=True, slots=True)
class Holder:
    """A group of buffers that are held along the same path.

    Attributes:
        path: the chain from a root to the buffers, in one line.
        chain: the same, as data, to one of them.
        holder: the last object that is on the way to all of them, by its path.
        holder_type: its type.
        example_node: the node of the buffer that the chain leads to.
        buffer_type: the buffers' type.
        buffers: how many.
        buffer_bytes: their size.
        retained_bytes: what would be freed if the holder let go, buffers and all that comes with them.
        allocated_at: the stack that allocated the chain's buffer, the allocating line first; empty if not traced.
    """

    path: str
    chain: Chain
    holder: str
    holder_type: str
    example_node: int
    buffer_type: str
    buffers: int
    buffer_bytes: int
    retained_bytes: int
    allocated_at: tuple[Frame, ...]


def buffer_addresses(graph: HeapGraph, *, min_bytes: int = 1024) -> Indices:
    """The addresses of the buffers that are there, sorted: the baseline that `find_holders` compares with."""
    return np.sort(np.array([id(graph.objects[node]) for node in _buffers(graph, min_bytes)], dtype=np.int64))


def find_holders(graph: HeapGraph, *, baseline: Indices, min_bytes: int = 1024) -> list[Holder]:
    """Group the buffers that are not in the baseline by the path that holds them, the most bytes first.

    An address that was freed and used again since the baseline hides its new buffer; at a floor after a warm-up these
    are few.

    Args:
        graph: the heap now.
        baseline: what `buffer_addresses` gave earlier.
        min_bytes: buffers below this size are left out.
    """
    known = set(baseline.tolist())
    parents = graph.parents()
    groups: dict[str, list[int]] = defaultdict(list)
    chains: dict[int, Chain] = {}
    for node in _buffers(graph, min_bytes):
        if id(graph.objects[node]) not in known:
            chains[node] = chain_to(graph, node, parents)
            groups[chains[node].path].append(node)
    found = [_holder(graph, nodes, chains[nodes[0]], parents) for nodes in groups.values()]
    return sorted(found, key=lambda holder: holder.buffer_bytes, reverse=True)


def _holder(graph: HeapGraph, nodes: Sequence[int], chain: Chain, parents: Indices) -> Holder:
    common = _last_common([path_to(node, parents)[:-1] for node in nodes])
    first = graph.objects[nodes[0]]
    return Holder(
        path=chain.path,
        chain=chain,
        holder=chain_to(graph, common, parents).path,
        holder_type=type(graph.objects[common]).__name__,
        example_node=nodes[0],
        buffer_type=type(first).__name__,
        buffers=len(nodes),
        buffer_bytes=int(graph.sizes[list(nodes)].sum()),
        retained_bytes=int(graph.sizes[graph.retained(common)].sum()),
        allocated_at=allocated_at(first),
    )


def _last_common(paths: Sequence[list[int]]) -> int:
    """The last node that all paths from the root share."""
    common = paths[0]
    for path in paths[1:]:
        same = [a == b for a, b in zip(common, path, strict=False)]
        common = common[: same.index(False) if False in same else len(same)]
    return common[-1]


def _buffers(graph: HeapGraph, min_bytes: int) -> list[int]:
    large = np.flatnonzero(graph.sizes >= min_bytes).tolist()
    return [node for node in large if isinstance(graph.objects[node], _BUFFERS)]
