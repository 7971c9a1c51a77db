"""The closure of some objects under `gc.get_referents`, in batches, with objects as numbers."""

import gc
import time
from collections.abc import Iterator, Sequence

import numpy as np

from labserver.heap.addresses import AddressMap
from labserver.heap.hidden import look
from labserver.heap.kinds import Kinds
from labserver.heap.layout.objects import Indices, addresses_of, lengths

_BATCH = 32768
_MANY_KEYS = 32  # keys of smaller dictionaries are mostly names that the program itself spells
_NARROW, _PATIENCE = 256, 64  # batches smaller than that, so often, are a linked list that would take for ever
_NODE_BYTES, _EDGE_BYTES = 150, 40  # what the walk and a dominator tree take for each, at most

_SHUT = -2


class Walk:
    """Collects objects, their sizes and references; an object's number is its place in `objects`.

    Args:
        shut: objects that are neither collected nor entered.
        max_bytes: the most memory to take.
        until: when to stop, on the monotonic clock.
    """

    def __init__(self, shut: Sequence[object], *, max_bytes: int | None = None, until: float | None = None) -> None:
        self.objects: list[object] = []
        self.kinds = Kinds()
        self.next_to_shut: list[Indices] = []
        """Which objects refer to a shut one, and to the address of which: arrays of two rows."""
        self._max_bytes, self._until = max_bytes, until
        self._done = self._edges = 0
        self._numbers = AddressMap()
        self._numbers.set(addresses_of(list(shut)), np.full(len(shut), _SHUT))
        self._batches: list[tuple[Indices, Indices, Indices, Indices]] = []  # sizes, kinds, counts, targets

    def add(self, objects: list[object]) -> Indices:
        """Collect those objects that are new; returns each object's number, shape (len(objects),)."""
        return self._number(objects, addresses_of(objects))

    def close(self, *, more: list[object] | None = None) -> bool:
        """Follow references until nothing new is found; returns whether the end was reached.

        Args:
            more: objects that are added where references alone lead ahead one by one, as along a linked list.
        """
        narrow = 0
        while self._done < len(self.objects):
            if self._batches and self._is_over():  # the modules' own namespaces are seen in any case
                return False
            batch = self.objects[self._done : self._done + _BATCH]
            self._expand(batch)
            narrow += len(batch) < _NARROW
            if more is not None and narrow > _PATIENCE:
                self.add(more)
                more = None
        return True

    def columns(self) -> tuple[Indices, Indices]:
        """The size in bytes and the kind of each object; shapes (n,)."""
        self._batches.extend(self._unexpanded())
        return np.concatenate([b[0] for b in self._batches]), np.concatenate([b[1] for b in self._batches])

    def edges(self) -> tuple[Indices, Indices]:
        """Offsets, shape (n + 1,), and the objects referred to, shape (m,)."""
        starts = np.zeros(len(self.objects) + 1, dtype=np.int64)
        np.cumsum(np.concatenate([b[2] for b in self._batches]), out=starts[1:])
        return starts, np.concatenate([b[3] for b in self._batches])

    def _is_over(self) -> bool:
        taken = _NODE_BYTES * len(self.objects) + _EDGE_BYTES * self._edges
        late = self._until is not None and time.monotonic() > self._until
        return late or (self._max_bytes is not None and taken > self._max_bytes)

    def _expand(self, batch: list[object]) -> None:
        addresses = addresses_of(batch)
        kinds = self.kinds.of(batch, addresses)
        sizes = self.kinds.sizes(batch, addresses, kinds)
        rows = np.flatnonzero(self.kinds.entered(kinds))
        mark = object()
        boundary = [mark]
        # One call for all: after each object comes a list, visited backwards, whose first item marks the boundary.
        interleaved: list[object] = [boundary] * (2 * rows.size)
        interleaved[::2] = batch if rows.size == len(batch) else map(batch.__getitem__, rows.tolist())
        for row, extra in self._unseen(batch, addresses, kinds, rows, sizes):
            interleaved[2 * row + 1] = [mark, *extra]
        referents = gc.get_referents(*interleaved)
        found = addresses_of(referents)
        ends = found == id(mark)
        counts = np.zeros(len(batch), dtype=np.int32)
        counts[rows] = np.diff(np.flatnonzero(ends), prepend=-1) - 1
        places = np.flatnonzero(~ends)
        targets = self._number(referents, found[places], places)
        referents.clear()
        shut = np.flatnonzero(targets < 0)
        if shut.size:
            owners = np.repeat(np.arange(len(batch)), counts)[shut]
            self.next_to_shut.append(np.stack([owners + self._done, found[places[shut]]]))
            np.subtract.at(counts, owners, 1)
            targets = np.delete(targets, shut)
        self._batches.append((sizes, kinds, counts, targets))
        self._edges += targets.size
        self._done += len(batch)

    def _number(self, objects: list[object], addresses: Indices, places: Indices | None = None) -> Indices:
        """The number of each address; what is new is collected from its place among the objects."""
        numbers, new = self._numbers.claim(addresses, len(self.objects))
        if places is not None:
            new = places[new]
        self.objects.extend(map(objects.__getitem__, new.tolist()))
        return numbers

    def _unseen(
        self, batch: list[object], addresses: Indices, kinds: Indices, rows: Indices, sizes: Indices
    ) -> Iterator[tuple[int, Sequence[object]]]:
        """What `gc.get_referents` would not show: `(place in rows, referents)`. Hidden bytes are added to the sizes."""
        kinds = kinds[rows]
        hiding = np.flatnonzero(self.kinds.hiding(kinds))
        for row, kind, at in zip(hiding.tolist(), kinds[hiding].tolist(), rows[hiding].tolist(), strict=True):
            extra, more_bytes = look(self.kinds.hidden[kind], batch[at])
            if more_bytes:
                sizes[at] += more_bytes
            yield row, extra
        mappings = np.flatnonzero(self.kinds.mappings(kinds))
        # In the header of a dictionary, too, the word after the type is its length.
        for row in mappings[lengths(batch, addresses, rows[mappings]) >= _MANY_KEYS].tolist():
            # CPython passes over keys when all are strings: these refer to nothing. Other keys it does show.
            keys = list(dict.keys(batch[rows[row]]))
            if keys and type(keys[0]) is str:  # another thread may have emptied it
                yield row, keys

    def _unexpanded(self) -> Iterator[tuple[Indices, Indices, Indices, Indices]]:
        while self._done < len(self.objects):
            batch = self.objects[self._done : self._done + _BATCH]
            addresses = addresses_of(batch)
            kinds = self.kinds.of(batch, addresses)
            sizes = self.kinds.sizes(batch, addresses, kinds)
            yield sizes, kinds, np.zeros(len(batch), dtype=np.int32), np.zeros(0, dtype=np.int32)
            self._done += len(batch)
