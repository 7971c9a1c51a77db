"""Places that were laid out beforehand and are filled one by one: a ring, the nodes of a list, an array's slots."""

from collections.abc import Sequence

import numpy as np

from labserver.diagnosis.holders.changes import Changes
from labserver.diagnosis.holders.lengths import length_of
from labserver.diagnosis.holders.snapshot import Snapshot
from labserver.heap.edges import namespace
from labserver.heap.graph import HeapGraph, Indices, Mask
from labserver.heap.is_a import is_a
from labserver.heap.search import each_once

_LEAST = 20  # places: an object with fewer has attributes
_FILLED = 0.5  # of the growth, that is explained by places that were filled


class FixedPlaces:
    """Finds such places in one heap.

    Args:
        graph: the heap now.
        before: the heap at the baseline.
        found: what has changed.
    """

    def __init__(self, graph: HeapGraph, before: Snapshot, found: Changes) -> None:
        self._graph = graph
        self._before = before
        self._found = found
        self._parents = graph.parents()
        self._references = np.diff(graph.starts)
        self._addresses = np.sort(graph.addresses)
        at = np.minimum(np.searchsorted(before.addresses, graph.addresses), before.addresses.size - 1)
        self._at_its_address = (before.addresses[at] == graph.addresses) & (before.types[at] == graph.types)
        self._as_many = self._at_its_address & (before.references[at] == self._references)

    def number(self, entries: Indices, holder: int) -> int | None:
        """How many there are, filled or not, for what came together; None where it did not come into such places.

        What each of them keeps is not bounded by that: it may grow in turn.

        Args:
            entries: of the changes, those that are held together.
            holder: the node that they have in common.
        """
        tops = self._found.top[entries[self._found.count[entries] < 0]]
        went = each_once(-1 - tops[tops < 0], self._before.addresses.size)
        number = self._number(entries, holder, ~self._found.new, went.size)
        if number is not None:
            return number
        # Where a ring's beginning moves along it, no chain of references leads to its nodes as it did. Addresses alone
        # tell less, so that this is for places that seem to have come themselves.
        return self._number(entries, holder, self._at_its_address, self._gone(went))

    def alike(self, kind: int, holder: int) -> Indices:
        """All objects of a type that stood at the baseline below a node."""
        nodes = np.arange(self._parents.size)
        up = np.where(self._parents >= 0, self._parents, nodes)
        up[holder] = holder
        while not np.array_equal(further := up[up], up):
            up = further
        found: Indices = np.flatnonzero(
            (self._graph.types == kind) & self._at_its_address & (up == holder) & (nodes != holder)
        )
        return found

    def _number(self, entries: Indices, holder: int, stood: Mask, gone: int) -> int | None:
        """The same, with what stood at the baseline, shape (n,), and how many went with all below them."""
        found = self._found
        came = entries[found.count[entries] > 0]
        came = came[~stood[found.node[came]]]
        tops = each_once(self._first_that_came(found.node[came], stood), stood.size)
        referring = self._parents[tops]
        moved = stood & found.new
        if not tops.size or (referring < 0).any() or (moved.any() and not moved[referring].any()):
            return None
        referring = each_once(referring, stood.size)
        # What replaces its forerunner fills no place, and grows in another way.
        of_each = found.bytes[came].sum() / tops.size
        if (tops.size - gone) * of_each < _FILLED * found.bytes[entries].sum():
            return None
        places = np.unique([self._owner(int(one)) for one in referring.tolist()])
        if not (self._as_many & stood)[[*places.tolist(), *referring.tolist()]].all():
            return None
        if places.size > 1 and np.isin(self._graph.types[tops], self._graph.types[places]).any():
            return None  # a tree, whose leaves get leaves
        total = self._total(places, tops, holder)
        return total if total is not None and total >= _LEAST else None

    def _gone(self, went: Indices) -> int:
        """How many of some objects of the baseline are not at their address any more."""
        addresses = self._before.addresses[went]
        at = np.minimum(np.searchsorted(self._addresses, addresses), self._addresses.size - 1)
        return int(np.count_nonzero(self._addresses[at] != addresses))

    def _total(self, places: Indices, tops: Indices, holder: int) -> int | None:
        if places.size == 1:
            only = self._graph.objects[int(places[0])]
            # An object's attributes are no places.
            return int(self._references[places[0]]) if is_a(only, np.ndarray) else length_of(only)
        kinds, counts = np.unique(self._graph.types[places], return_counts=True)
        kind = int(kinds[np.argmax(counts)])
        lengths = self._lengths(self.alike(kind, holder).tolist())
        if lengths is not None:
            return sum(lengths)
        # A list of nodes may be reached from both ends.
        alike = np.count_nonzero((self._graph.types == kind) & self._at_its_address)
        return int(alike) * -(-tops.size // places.size)

    def _lengths(self, nodes: Sequence[int]) -> list[int] | None:
        lengths = [length_of(self._graph.objects[node]) for node in nodes]
        known = [length for length in lengths if length is not None]
        return known if known and len(known) == len(lengths) else None

    def _owner(self, node: int) -> int:
        """The object whose namespace a dictionary is, else the object itself."""
        above = int(self._parents[node])
        objects = self._graph.objects
        return above if above >= 0 and namespace(objects[above], objects[node]) is not None else node

    def _first_that_came(self, nodes: Indices, stood: Mask) -> Indices:
        """For each of some nodes the first on the way from the root that did not stand before."""
        up = self._parents[nodes]
        while (further := (up >= 0) & ~stood[up]).any():
            nodes = np.where(further, up, nodes)
            up = self._parents[nodes]
        return nodes
