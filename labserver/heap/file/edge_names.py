"""Names for all references of a heap at once.

To name one reference takes some microseconds, and a heap has millions. Objects of one type that refer to as many
objects of the same types refer to them by the same names: so a few of each such group are asked, and where they agree,
the names are those of all. Dictionaries behind attributes tell their own keys.
"""

import types
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from labserver.heap.edge import ITEM, KEY, MEMBER, UNKNOWN, VALUE, Edge, EdgeKind, attribute
from labserver.heap.edges import attributes_of, edge_to, fold
from labserver.heap.file.code_names import is_plain
from labserver.heap.file.record import NAMESPACE
from labserver.heap.graph import HeapGraph, Indices, Mask
from labserver.heap.is_a import is_a, is_any, named, namespace_of, text_of
from labserver.heap.layout.objects import lengths
from labserver.heap.search import places_of

_SAMPLES = 3  # of a group
_PLACES = 64  # references of an object that are named; what has more is an uncommon container, or a class
_MOST_GROUPS = 30_000  # of the largest: naming each takes some fifty microseconds
_MOST_KEYS = 10_000  # of a dictionary with more no key is told
_CONTAINERS: tuple[tuple[type, Edge], ...] = (
    (dict, VALUE),
    (list, ITEM),
    (tuple, ITEM),
    (deque, ITEM),
    (set, MEMBER),
    (frozenset, MEMBER),
)
_WITH_A_CODE_OF_ITS_OWN = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, types.FrameType)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class EdgeNames:
    """The name of each reference, as an index into a table.

    Args:
        graph: the heap.
        classes: the types of its objects.
        kind: the type of each object, an index into these, shape (n,).
        spelt: every name that some code spells.
        key_text: how a key of a dictionary is told; None where none may be.
    """

    def __init__(
        self,
        graph: HeapGraph,
        classes: list[type],
        kind: Indices,
        spelt: Collection[str],
        key_text: Callable[[object], str] | None = None,
    ) -> None:
        self.table: list[Edge] = [UNKNOWN]
        self.of: Indices = np.zeros(graph.targets.size, dtype=np.int32)
        """The name of each reference, shape (m,)."""
        self._graph, self._spelt, self._key_text = graph, spelt, key_text
        self._places: dict[Edge, int] = {UNKNOWN: 0}
        self._counts = np.diff(graph.starts).astype(np.int32)
        self._classes, self._kind = classes, kind
        self._name_containers()
        self._name_groups()
        self._name_namespaces()

    def _at(self, edge: Edge) -> int:
        at = self._places.setdefault(edge, len(self.table))
        if at == len(self.table):
            self.table.append(edge)
        return at

    def _name_containers(self) -> None:
        """Builtin containers: what they hold has no name, but a place."""
        plain = np.zeros(len(self._classes), dtype=np.int32)
        for cls, edge in _CONTAINERS:
            plain[[issubclass(kind, cls) for kind in self._classes]] = self._at(edge)
        self.of[:] = np.repeat(plain[self._kind], self._counts)
        # What is derived from them may have attributes besides.
        self._is_container = self._are_exactly([cls for cls, _ in _CONTAINERS])
        self._name_keys(np.flatnonzero(self._graph.types == id(dict)))

    def _are_exactly(self, classes: Collection[type]) -> Mask:
        """Which objects are of one of these types itself; shape (n,)."""
        wanted = set(map(id, classes))
        found: Mask = np.array([id(cls) in wanted for cls in self._classes], dtype=bool)[self._kind]
        return found

    def _name_keys(self, dictionaries: Indices) -> None:
        """Which references of dictionaries are those of keys: a table of plain strings shows its values alone."""
        graph, key = self._graph, self._at(KEY)
        length = lengths(graph.objects, graph.addresses, dictionaries)
        count = self._counts[dictionaries]
        both = dictionaries[(count == 2 * length) & (length > 0)]
        apart: list[int] = []
        by_turns: list[int] = []
        for node in both.tolist():
            held = graph.objects[node]
            first = next(iter(dict.keys(held)), None) if is_a(held, dict) else None
            second = graph.addresses[graph.targets[graph.starts[node] + 1]]
            (apart if id(first) != second and type(first) is str else by_turns).append(node)
        where, at, sizes = self._references(np.array(apart, dtype=np.int64))
        self.of[where[at >= sizes // 2]] = key
        where, at, _ = self._references(np.array(by_turns, dtype=np.int64))
        self.of[where[at % 2 == 1]] = key

    def _references(self, nodes: Indices) -> tuple[Indices, Indices, Indices]:
        """All references of some nodes: where each is, its place at its owner, and how many that one has."""
        counts, starts = self._counts[nodes], self._graph.starts
        where = places_of(starts, nodes)
        return where, where - np.repeat(starts[nodes], counts), np.repeat(counts, counts)

    def _name_groups(self) -> None:
        graph = self._graph
        owners = np.flatnonzero(~self._is_container & (self._counts > 0) & (self._counts <= _PLACES))
        if not owners.size:
            return
        alike = self._signatures(owners)
        order = np.argsort(alike, kind="stable")
        begins = np.flatnonzero(np.append(True, alike[order[1:]] != alike[order[:-1]]))
        ends = np.append(begins[1:], order.size)
        largest = np.argsort(begins - ends, kind="stable")[:_MOST_GROUPS]
        for begin, end in zip(begins[largest].tolist(), ends[largest].tolist(), strict=True):
            nodes = owners[order[begin:end]]
            names = self._agreed(nodes[np.linspace(0, nodes.size - 1, min(_SAMPLES, nodes.size)).astype(np.int64)])
            if names is not None:
                where = graph.starts[nodes][:, None] + np.arange(names.size)
                self.of[where] = names

    def _signatures(self, owners: Indices) -> Indices:
        """A number that is the same for objects of one type with as many references to the same types; shape (k,)."""
        where, at, _ = self._references(owners)
        kind = self._kind[self._graph.targets[where]].astype(np.uint64)
        # What a suspended function refers to is named by its own code.
        suspended = self._are_exactly(_WITH_A_CODE_OF_ITS_OWN)[owners]
        if suspended.any():
            counts = self._counts[owners]
            targets = self._graph.targets[where]
            code = np.repeat(suspended, counts) & (self._graph.types[targets] == id(types.CodeType))
            kind[code] = targets[code].astype(np.uint64) + np.uint64(len(self._classes))
        powers = np.cumprod(np.full(_PLACES + 1, _FACTOR))
        mixed = (kind + np.uint64(1)) * powers[at]
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed, dtype=np.uint64)])
        ends = np.cumsum(self._counts[owners])
        whole: Indices = sums[ends] - sums[ends - self._counts[owners]]
        whole ^= self._kind[owners].astype(np.uint64) * powers[_PLACES]
        return whole

    def _agreed(self, samples: Indices) -> Indices | None:
        """The names of each place where all samples say the same; None where none has any."""
        found = [self._names_at(node) for node in samples.tolist()]
        names = [
            first if all(first == other for other in others) else UNKNOWN for first, *others in zip(*found, strict=True)
        ]
        named_here = any(edge != UNKNOWN for edge in names)
        return np.array([self._at(edge) for edge in names], dtype=np.int32) if named_here else None

    def _names_at(self, node: int) -> list[Edge]:
        """How an object refers to each of what it refers to, in order."""
        graph = self._graph
        owner = graph.objects[node]
        children = [graph.objects[at] for at in graph.targets[graph.starts[node] : graph.starts[node + 1]].tolist()]
        space = namespace_of(owner)
        own = {name for name, _ in named(space)}
        names: dict[int, list[Edge]] = {}
        if any(child is space for child in children):
            names[id(space)] = [NAMESPACE]
        for name, value in attributes_of(owner):
            edge = attribute(name) if name not in own or self._may_be_told(owner, name) else UNKNOWN
            names.setdefault(id(value), []).append(edge)
        found = []
        for child in children:
            known = names.get(id(child))
            if known is None:
                edge = attribute("__class__") if child is type(owner) else self._unnamed(owner, child)
            else:  # the second of two attributes that are None has the second name
                edge = known.pop(0) if len(known) > 1 else known[0]
            found.append(edge)
        return found

    def _may_be_told(self, owner: object, name: str) -> bool:
        return name in self._spelt or (is_any(owner, (types.ModuleType, type)) and is_plain(name))

    @staticmethod
    def _unnamed(owner: object, child: object) -> Edge:
        """How an object refers to what is no attribute of its own, without a line: the same for all that are alike."""
        suspended = is_any(owner, _WITH_A_CODE_OF_ITS_OWN)
        edge = fold(owner, [child])[0] if suspended else edge_to(owner, child)
        return replace(edge, number=0)

    def _name_namespaces(self) -> None:
        """The dictionaries behind attributes, and with `key_text` all others too."""
        graph, owner_of = self._graph, self._owners_of_namespaces()
        known: dict[tuple[object, ...], Indices] = {}
        key = self._at(KEY)
        dictionaries = (
            np.flatnonzero(graph.types == id(dict)) if self._key_text else np.array(list(owner_of), dtype=int)
        )
        for node in dictionaries:
            held = graph.objects[node]
            keys = tuple(dict.keys(held)) if is_a(held, dict) else ()
            if not keys or any(type(one) is not str for one in keys):
                continue
            if node in owner_of:
                free = owner_of[node]
                if (names := known.get((free, *keys))) is None:
                    names = known[free, *keys] = self._named_keys(keys, free=free)
            elif self._key_text is not None and len(keys) <= _MOST_KEYS:
                told = map(self._key_text, keys)
                names = np.array([self._at(Edge(EdgeKind.VALUE, one)) for one in told], dtype=np.int32)
            else:
                continue
            self._name_values(node, held, names, key)

    def _name_values(self, node: int, held: dict[object, object], names: Indices, key: int) -> None:
        """Name the references of a dictionary to its values, given the names of its keys in order."""
        graph = self._graph
        begin, end = int(graph.starts[node]), int(graph.starts[node + 1])
        if end - begin in {names.size, 2 * names.size}:
            self.of[begin : begin + names.size] = names
            self.of[begin + names.size : end] = key
            return
        # Some of what it holds belongs to whoever looks, and is not in the graph.
        by_value = dict(zip(map(id, dict.values(held)), names.tolist(), strict=True))
        for at, address in enumerate(graph.addresses[graph.targets[begin:end]].tolist(), begin):
            self.of[at] = by_value.get(address, key)

    def _owners_of_namespaces(self) -> dict[int, bool]:
        """The dictionaries behind attributes by node, and whether a module or a class has each."""
        graph, edge = self._graph, self._at(NAMESPACE)
        found = dict.fromkeys(graph.targets[self.of == edge].tolist(), False)
        of_authors = np.array([issubclass(kind, (types.ModuleType, type)) for kind in self._classes])[self._kind]
        for node in np.flatnonzero(of_authors).tolist():
            space = namespace_of(graph.objects[node])
            begin, end = graph.starts[node], graph.starts[node + 1]
            links = begin + np.flatnonzero(graph.addresses[graph.targets[begin:end]] == id(space))
            self.of[links] = edge
            found.update(dict.fromkeys(graph.targets[links].tolist(), True))
        return found

    def _named_keys(self, keys: Sequence[object], *, free: bool) -> Indices:
        names = [text_of(name) for name in keys]
        told = [attribute(name) if name in self._spelt or (free and is_plain(name)) else UNKNOWN for name in names]
        return np.array([self._at(edge) for edge in told], dtype=np.int32)
