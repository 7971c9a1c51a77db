"""What the walk over the heap needs to know of each type, looked up once and then by number."""

import sys
from collections.abc import Callable, Sequence
from types import MethodDescriptorType
from typing import Any

import numpy as np

from labserver.heap.addresses import AddressMap
from labserver.heap.hidden import Hidden, hidden_of
from labserver.heap.is_a import definitions, is_made_in_c, of_class
from labserver.heap.layout.objects import Indices, headers_are_known, lengths, type_addresses

_TRAVERSED = 1 << 14  # Py_TPFLAGS_HAVE_GC: without it an object refers to nothing that the collector could see
_MANAGED = 3 << 3  # Py_TPFLAGS_MANAGED_DICT or, from CPython 3.12 on, Py_TPFLAGS_MANAGED_WEAKREF
_ASK, _ASK_BASE = -1, -2


class Kinds:
    """The types met so far, numbered from 0; whoever asks keeps an object of each alive, and so its address its own.

    A reference to a type from here would look like one of the application's.

    Attributes:
        addresses: the address of each type.
        hidden: for the types that hide references or bytes, what shows them; by number.
    """

    def __init__(self) -> None:
        self.addresses: list[int] = []
        self.hidden: dict[int, Callable[[object], Hidden]] = {}
        self._numbers = AddressMap()
        self._enters: list[bool] = []
        self._hides: list[bool] = []
        self._mappings: list[bool] = []
        self._base: list[int] = []
        self._item: list[int] = []
        self._by_base: dict[int, tuple[Callable[[object], int], int]] = {}

    def of(self, objects: Sequence[object], addresses: Indices) -> Indices:
        """The number of each object's type; shape (n,)."""
        types_of = type_addresses(objects, addresses)
        numbers = self._numbers.get(types_of)
        new = np.flatnonzero(numbers < 0)
        if new.size:
            found, first = np.unique(types_of[new], return_index=True)
            self._numbers.set(found, np.arange(len(self.addresses), len(self.addresses) + found.size))
            for address, at in zip(found.tolist(), new[first].tolist(), strict=True):
                self._add(address, objects[at], addresses[at : at + 1])
            numbers = self._numbers.get(types_of)
        return numbers

    def are(self, numbers: Indices, cls: type) -> Indices:
        """Which objects are of exactly this type; shape (n,)."""
        return np.array([address == id(cls) for address in self.addresses], dtype=bool)[numbers]

    def entered(self, numbers: Indices) -> Indices:
        """Which objects may have references; shape (n,)."""
        return np.array(self._enters, dtype=bool)[numbers]

    def hiding(self, numbers: Indices) -> Indices:
        """Which objects hide references or bytes; shape (n,)."""
        return np.array(self._hides, dtype=bool)[numbers]

    def mappings(self, numbers: Indices) -> Indices:
        """Which objects are dictionaries; shape (n,)."""
        return np.array(self._mappings, dtype=bool)[numbers]

    def sizes(self, objects: Sequence[object], addresses: Indices, numbers: Indices) -> Indices:
        """`sys.getsizeof` of each, as its type that is made in C has it, bytes; 0 where that fails; shape (n,)."""
        sizes = np.array(self._base, dtype=np.int64)[numbers]
        item = np.array(self._item, dtype=np.int64)[numbers]
        counted = np.flatnonzero(item)
        if counted.size:
            sizes[counted] += np.abs(lengths(objects, addresses, counted)) * item[counted]
        asked = np.flatnonzero(sizes < 0)
        by_base = asked[sizes[asked] == _ASK_BASE]
        asked = asked[sizes[asked] == _ASK]
        sizes[asked] = _asked_sizes(list(map(objects.__getitem__, asked.tolist())), sys.getsizeof)
        for kind in np.unique(numbers[by_base]).tolist():
            same = by_base[numbers[by_base] == kind]
            size_of, before = self._by_base[kind]
            sizes[same] = _asked_sizes(list(map(objects.__getitem__, same.tolist())), size_of) + before
        return sizes

    def _add(self, address: int, example: object, at: Indices) -> None:
        cls = type(example)
        handler = hidden_of(cls)
        if handler is not None:
            self.hidden[len(self.addresses)] = handler
        self.addresses.append(address)
        self._hides.append(handler is not None)
        self._enters.append(bool(of_class(cls, "__flags__") & _TRAVERSED) or handler is not None)
        self._mappings.append(issubclass(cls, dict))
        base, item = _formula(cls, example, at)
        if base == _ASK_BASE:
            self._by_base[len(self._base)] = _sizeof(cls), bytes_before(cls)
        self._base.append(base)
        self._item.append(item)


def _formula(cls: type, example: object, at: Indices) -> tuple[int, int]:
    """Bytes of an object of this type, and for each of its items; `_ASK` where the type gives an answer of its own.

    `_ASK_BASE` where a class statement made it: `sys.getsizeof` would come across the application's code.
    """
    made_in_c, size_of, item = is_made_in_c(cls), _sizeof(cls), of_class(cls, "__itemsize__")
    if size_of is not vars(object)["__sizeof__"] or (item and not headers_are_known()):
        return _ASK if made_in_c else _ASK_BASE, 0
    size = sys.getsizeof(example) if made_in_c else size_of(example) + bytes_before(cls)
    if not item:
        return size, 0
    count = abs(int(lengths([example], at, np.array([0]))[0]))
    return size - count * item, item


def _sizeof(cls: type) -> Any:
    """The nearest `__sizeof__` that is made in C."""
    found = definitions(cls, "__sizeof__")
    return next(own for base, own in found if type(own) is MethodDescriptorType and own.__objclass__ is base)


def bytes_before(cls: type) -> int:
    """What stands before an object of this type, which `sys.getsizeof` adds to its `__sizeof__`."""
    flags = of_class(cls, "__flags__")
    return _COLLECTORS_BYTES * bool(flags & _TRAVERSED) + _MANAGED_BYTES * bool(flags & _MANAGED)


class _Managed:
    """Its attributes are found by what stands before it."""


_COLLECTORS_BYTES = sys.getsizeof([]) - list.__sizeof__([])
_MANAGED_BYTES = sys.getsizeof(_Managed()) - object.__sizeof__(_Managed()) - _COLLECTORS_BYTES


def _asked_sizes(objects: list[object], size_of: Callable[[object], int]) -> Indices:
    try:
        return np.fromiter(map(size_of, objects), dtype=np.int64, count=len(objects))
    except Exception:  # noqa: BLE001 - a type's own __sizeof__ may fail; the walk must not end for it
        return np.fromiter((_asked_size(obj, size_of) for obj in objects), dtype=np.int64, count=len(objects))


def _asked_size(obj: object, size_of: Callable[[object], int]) -> int:
    try:
        return size_of(obj)
    except Exception:  # noqa: BLE001 - the same
        return 0
