"""What keeps a growing container small: bounds, an account in bytes, code that takes something out."""

import contextlib
import functools
import math
from array import array
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labserver.diagnosis.holders.bounds import Bound, ByteBudget, bound_of, byte_budget_of
from labserver.diagnosis.holders.changes import Changes
from labserver.diagnosis.holders.extension_types import extension_type_of
from labserver.diagnosis.holders.fixed_places import FixedPlaces
from labserver.diagnosis.holders.functions import Functions
from labserver.diagnosis.holders.lengths import length_of
from labserver.diagnosis.holders.reading import Reading, read
from labserver.diagnosis.holders.referrers import CONTAINERS, Referrer, Referrers
from labserver.diagnosis.holders.removal import removal_from
from labserver.diagnosis.holders.running import Running
from labserver.diagnosis.holders.snapshot import Snapshot
from labserver.diagnosis.holders.sources import Sources
from labserver.heap.graph import HeapGraph, Indices
from labserver.heap.heap_growth import Removal
from labserver.heap.is_a import is_a, is_any

_CACHE: Any = functools._lru_cache_wrapper  # noqa: SLF001 - the type has no public name
_KNOWN = (*CONTAINERS, bytearray, bytes, str, _CACHE)
_OF_PLAIN: tuple[Any, ...] = (bytes, str, array)  # whose entries are no objects
_LINKS = 3  # from the results of a memoized function up to it


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What is known of a container's keeping.

    Attributes:
        bound: on its entries; None where nobody declares or keeps one.
        length: its entries now; None where it has no length.
        budget: on its bytes, as its owner counts them; None where it does not.
        removal: what takes something out; None where nobody looked.
    """

    bound: Bound | None = None
    length: int | None = None
    budget: ByteBudget | None = None
    removal: Removal | None = None


class Upkeeps:
    """Reads the code and the attributes around the containers of one heap.

    Args:
        graph: the heap now.
        before: what it was at the baseline.
        found: what has changed.
    """

    def __init__(self, graph: HeapGraph, before: Snapshot, found: Changes) -> None:
        self._graph = graph
        self._found = found
        self._sources = Sources()
        self._places = FixedPlaces(graph, before, found)
        self._functions = Functions(graph)
        self._referrers = Referrers(graph, self._functions)
        self._running = Running(graph)

    def of(self, holder: int, entries: Indices) -> Upkeep:
        """What keeps a holder small; nothing is known where something cannot be read.

        Args:
            holder: the node that the entries have in common.
            entries: of the changes, those that hang there.
        """
        with contextlib.suppress(Exception):  # other threads go on where the process was not forked
            return self._of(holder, entries)
        return Upkeep()

    def _of(self, holder: int, entries: Indices) -> Upkeep:
        node, many = self._container(holder, entries)
        container = self._graph.objects[node]
        referrers = self._referrers.of(node)
        reading = read(referrers, self._functions, self._sources)
        removal = self._removal(container, referrers, reading)
        bound, budget = self._bounds(node, many, referrers, reading)
        length = length_of(container) if many == 1 else None
        places = self._places.number(entries, holder)
        if places is not None and (bound is None or places < bound.entries):
            bound = Bound(places, f"its {places:,} places have been there from the first look on")
            length = None  # empty places count in it
        if many == 1 and bound is not None and self._found.count[entries].sum() <= 0:
            # It grows without an object that came: by bytes, by numbers of an array, by one object again and again.
            budget = self._in_bytes(bound, node)
            bound = length = None
        return Upkeep(
            bound=bound,
            length=length,
            budget=budget,
            removal=removal if many == 1 else self._also_of(holder, removal),
        )

    def _also_of(self, holder: int, removal: Removal) -> Removal:
        """What takes something out of one of many containers, or one of them out of what holds them all."""
        referrers = self._referrers.of(holder)
        reading = read(referrers, self._functions, self._sources)
        other = self._removal(self._graph.objects[holder], referrers, reading)
        first, second = sorted((removal, other), key=lambda one: (one.by is None, not one.runs))
        return Removal(
            seen=first.seen and second.seen,
            by=first.by,
            runs=first.runs or second.runs,
            opaque=first.opaque or second.opaque,
        )

    def _removal(self, container: object, referrers: list[Referrer], reading: Reading) -> Removal:
        """What takes something out of a container, whose own methods nobody can read where an extension has made it."""
        opaque = extension_type_of(container) is not None
        found = removal_from(container, reading, self._running, known=not opaque and is_any(container, _KNOWN))
        kept = any(not one.readable and extension_type_of(one.owner) is not None for one in referrers)
        return replace(found, opaque=opaque or kept)

    def _bounds(
        self, node: int, many: int, referrers: list[Referrer], reading: Reading
    ) -> tuple[Bound | None, ByteBudget | None]:
        """Bounds of those whose word counts: of an owner that came with many of its like, each bounds its own alone."""
        old = [one for one in referrers if not self._came_with_others(one.node if one.node >= 0 else node)]
        if referrers and not old:
            return None, None
        heard = replace(reading, passages=tuple(one for one in reading.passages if one.referrer in old))
        bound = bound_of(self._graph.objects[node], old, heard)
        if bound is not None and many > 1:
            bound = Bound(many * bound.entries, f"{many:,} × {bound.said_by}")
        return bound, byte_budget_of(self._graph.objects[node], old, heard) if many == 1 else None

    def _in_bytes(self, bound: Bound, node: int) -> ByteBudget:
        """A bound on entries that are no objects, by what these weigh."""
        container, size = self._graph.objects[node], int(self._graph.sizes[node])
        of_its_own = next((kind for kind in _OF_PLAIN if is_a(container, kind)), None)
        length = length_of(container) if of_its_own is None else of_its_own.__len__(container)
        return ByteBudget(math.ceil(bound.entries * size / max(length or 0, 1)), size)

    def _came_with_others(self, node: int) -> bool:
        """Whether an object is one of several of its type that came since the baseline.

        A container that is replaced now and then comes alone, though there are others of its type.
        """
        new, roots = self._found.new, self._graph.local_roots
        if not new[node] or (is_any(self._graph.objects[node], _KNOWN) and node not in roots):
            return False
        return int(np.count_nonzero(new & (self._graph.types == self._graph.types[node]))) > 1

    def _container(self, holder: int, entries: Indices) -> tuple[int, int]:
        """What the entries are items of, and how many of its like get some; the holder where it is no container."""
        memoized = self._memoized(holder)
        if memoized is not None:
            return memoized, 1
        found = self._found
        growing = entries[found.bytes[entries] > 0]
        if found.new[holder] or not growing.size:
            return holder, 1
        places, which = np.unique(found.place[growing], return_inverse=True)
        weights = np.bincount(which, weights=found.bytes[growing])
        place = int(places[np.argmax(weights)])
        if self._referrers.is_namespace(place):
            here = growing[found.place[growing] == place]
            tops, which = np.unique(found.top[here], return_inverse=True)
            place, places = int(tops[np.argmax(np.bincount(which, weights=found.bytes[here]))]), tops[:1]
        if place == holder or places.size == 1 or not is_any(self._graph.objects[place], _KNOWN):
            return (place if is_any(self._graph.objects[place], _KNOWN) else holder), 1
        return place, self._places.alike(int(self._graph.types[place]), holder).size

    def _memoized(self, node: int) -> int | None:
        """The memoized function whose results an object holds."""
        parents = self._graph.parents()
        for _ in range(_LINKS):
            if is_a(self._graph.objects[node], _CACHE):
                return node
            if parents[node] < 0:
                break
            node = int(parents[node])
        return None
