"""A heap that was kept, to be asked as if its process were still there."""

from pathlib import Path

import numpy as np

from labserver.heap.file.heap_view import HeapView
from labserver.heap.file.path_groups import shortest_paths
from labserver.heap.file.record import Mask, ThreadStack
from labserver.heap.file.record_file import read_record
from labserver.heap.file.table import Table
from labserver.heap.layout.objects import Indices

_MOST = 1000  # rows of the largest dominators


class HeapFile(HeapView):
    """The heap in a file.

    Args:
        path: what `labserver heap save` wrote.

    Raises:
        labserver.errors.UsageError: there is no such file, or it is no heap file, damaged, or a newer version's.

    Attributes:
        record: all that the file says.
        about: where it comes from.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        super().__init__(read_record(self.path))
        self.about = self.record.about

    def types(self) -> Table:
        """By type: how many, their bytes, and what they retain, each byte once; the most retained bytes first."""
        record = self.record
        k = len(record.type_names)
        count = np.bincount(record.types, minlength=k)
        own = np.bincount(record.types, weights=record.sizes, minlength=k).astype(np.int64)
        outer = ~self._within_their_kind(record.types)
        kept = np.bincount(record.types[outer], weights=self.retained_sizes[outer], minlength=k).astype(np.int64)
        order = np.lexsort((-own, -kept))
        rows = ((str(record.type_names[at]), int(count[at]), int(own[at]), int(kept[at])) for at in order if count[at])
        return Table(("type", "count", "bytes", "retained_bytes"), rows)

    def modules(self) -> Table:
        """By module: how many objects there are of its types, their bytes, and what the module itself retains."""
        record = self.record
        names = [one.module or "builtins" for one in record.type_names]
        places = {name: at for at, name in enumerate(dict.fromkeys(names))}
        at = np.array([places[name] for name in names], dtype=np.int64)[record.types]
        count = np.bincount(at, minlength=len(places))
        own = np.bincount(at, weights=record.sizes, minlength=len(places)).astype(np.int64)
        kept = dict.fromkeys((record.names.get(node, "?") for node in range(record.modules)), 0)
        for node in range(record.modules):
            kept[record.names.get(node, "?")] += int(self.retained_sizes[node])
        for space, module in self.module_namespaces.items():
            # Its functions hold it, too, so that it does not go with the module.
            if self.dominator_tree.idom[space] < 0:
                kept[record.names.get(module, "?")] += int(self.retained_sizes[space])
        found = {name: (int(count[place]), int(own[place]), kept.pop(name, 0)) for name, place in places.items()}
        found |= {name: (0, 0, size) for name, size in kept.items()}
        order = sorted(found, key=lambda name: -found[name][2])
        rows = ((name, *found[name]) for name in order)
        return Table(("module", "objects_of_its_types", "their_bytes", "retained_bytes"), rows)

    def dominators(self, most: int = _MOST) -> Table:
        """The objects that retain most, each with its shortest path; what hangs below one may be another's row."""
        order = np.argsort(-self.retained_sizes, kind="stable")
        largest = order[~self.namespaces[order]][:most].tolist()
        rows = (
            (self.title_of(node), int(self.record.sizes[node]), int(self.retained_sizes[node]), self.path_to(node))
            for node in largest
        )
        return Table(("object", "bytes", "retained_bytes", "path"), rows)

    def paths(self, name: str) -> Table:
        """The shortest paths from roots to the objects of a type, or to a module, class or function, of that name.

        Paths that differ in keys and places alone are one row, with how many they are. Of a name with more than 200
        kinds of paths, as `bytes` may have, the rarest are left out.

        Raises:
            labserver.errors.UsageError: nothing has that name.
        """
        rows = ((one.path, one.paths) for one in shortest_paths(self, name).groups)
        return Table(("path", "paths"), rows)

    def strings(self) -> Table:
        """Strings that are there more than once, the most wasted bytes first; empty where no names were kept."""
        record = self.record
        nodes = np.fromiter(record.texts, dtype=np.int64, count=len(record.texts))
        alike: dict[tuple[str, int, int], int] = {}
        for text, total, size in zip(
            record.texts.values(), record.checksums.tolist(), record.sizes[nodes].tolist(), strict=True
        ):
            alike[text, total, size] = alike.get((text, total, size), 0) + 1
        found = [(text, times, size * (times - 1)) for (text, _, size), times in alike.items() if times > 1]
        found.sort(key=lambda one: -one[2])
        return Table(("text", "times", "wasted_bytes"), found)

    def threads(self) -> list[ThreadStack]:
        """The threads that ran, and where they were."""
        return self.record.threads

    def _within_their_kind(self, kinds: Indices) -> Mask:
        """Which objects some other object of their own kind dominates: what they retain is in the other's figure."""
        tree = self.dominator_tree
        place = np.full(tree.idom.size + 1, -1, dtype=np.int64)
        place[tree.inner] = 2 * tree.first
        leaf = place[:-1] < 0
        # A leaf stands within its holder's stretch and has none of its own.
        begin = np.where(leaf, np.where(tree.idom >= 0, place[tree.idom] + 1, -1), place[:-1])
        end = begin.copy()
        end[tree.inner] = 2 * tree.last
        order = np.lexsort((begin, kinds))
        apart = kinds[order].astype(np.int64) * (2 * tree.idom.size + 4)
        before = np.maximum.accumulate(apart + end[order])
        inside = np.zeros(order.size, dtype=bool)
        inside[order[1:]] = (apart + begin[order])[1:] < before[:-1]
        return inside
