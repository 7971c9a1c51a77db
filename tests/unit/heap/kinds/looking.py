"""What one heap graph says of everything that was planted."""

import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np

from labserver.heap.chains import chain_to
from labserver.heap.graph import HeapGraph, path_to


@dataclass
class Seen:
    """What was found of one plant.

    Attributes:
        found: how many of the planted objects.
        path: the chain to most of them, up to its last edge; None where none was found.
        retained: what letting go of their deepest common holder would free, bytes; None where they have none.
        holder: the address of that holder.
    """

    found: int
    path: str | None
    retained: int | None
    holder: int | None


def look(graph: HeapGraph, plants):
    """One `Seen` for each plant, by its name."""
    order = np.argsort(graph.addresses)
    sorted_addresses = graph.addresses[order]
    parents, dominators, retained = graph.parents(), graph.dominators(), graph.retained_sizes()
    seen = {}
    for plant in plants:
        nodes = []
        for address, size in plant.bytes_of.items():
            at = np.searchsorted(sorted_addresses, address)
            node = int(order[at]) if at < order.size and sorted_addresses[at] == address else None
            # A buffer that ended may have left its address to another.
            if node is not None and _is_held(graph, node, parents) and _fits(graph.objects[node], size, plant):
                nodes.append(node)
        paths = Counter(chain_to(graph, node, parents).trail for node in nodes).most_common(1)
        path = paths[0][0].replace(plant.shop.__name__, "shop") if paths else None
        holder = _common_holder(nodes, dominators)
        seen[plant.name] = Seen(
            len(nodes),
            path,
            None if holder is None else int(retained[holder]),
            None if holder is None else int(graph.addresses[holder]),
        )
    return seen


def _fits(obj, size, plant):
    return type(obj) is plant.types[id(obj)] and (type(obj) is not bytes or sys.getsizeof(obj) == size)


def _is_held(graph, node, parents):
    root = path_to(node, parents)[0]
    return root < graph.modules or root in graph.local_roots


def _common_holder(nodes, dominators):
    """The deepest node that lies on every path to all the nodes, besides each itself; None where there is none."""
    common = None
    for node in nodes:
        above, up = [], int(dominators[node])
        while up >= 0:
            above.append(up)
            up = int(dominators[up])
        common = above if common is None else [node for node in common if node in set(above)]
    return common[0] if common else None
