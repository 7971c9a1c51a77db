"""Objects as addresses: many thousands at once in NumPy, where Python would need an integer object for each.

CPython's `id` is the address, and an object begins with its reference count and the address of its type. Whether that
holds for this interpreter is tried once, at import; where it does not, the slow and plain way is taken.
"""

import mmap
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.integer]

_WORD = 8
_TYPE, _SIZE, _ITEMS = 1, 2, 3  # words of an object's header: its type, its length, a list's items
_ADDRESS_BITS = 48  # of a process: 47 on x86-64, 48 on 64-bit ARM
_CHUNK_BITS = 20
_CELL_BITS = 4  # no two objects begin within the same 16 bytes
_CELLS = 1 << (_CHUNK_BITS - _CELL_BITS)


class AddressMap:
    """A number for each address, -1 by default.

    A page table in two steps: a directory of chunks of 1 MiB, then a cell for each 16 bytes. Looking up costs a few
    nanoseconds, a tenth of a search in a sorted array. Only pages that are written to take memory.
    """

    def __init__(self) -> None:
        self._directory = _blank(1 << (_ADDRESS_BITS - _CHUNK_BITS), np.int64)
        self._cells = _blank(64 * _CELLS, np.int32)
        self._chunks = 1  # chunk 0 stays empty: what is in none of the others is there

    def get(self, addresses: Indices) -> Indices:
        """The number of each address, shape as given."""
        numbers: Indices = self._cells[self._places(addresses)] - 1
        return numbers

    def set(self, addresses: Indices, numbers: Indices) -> None:
        """Give each address its number."""
        self._make_room(addresses)
        self._cells[self._places(addresses)] = numbers + 1

    def claim(self, addresses: Indices, first: int) -> tuple[Indices, Indices]:
        """Give the addresses that have no number one, `first` and so on.

        Returns:
            The number of each address, shape as given; and where each new one first stands among them.
        """
        numbers = self._cells[self._places(addresses)]
        new = np.flatnonzero(numbers == 0)
        if new.size:
            fresh = addresses[new]
            self._make_room(fresh)
            places = self._places(fresh)
            order = np.arange(1, new.size + 1, dtype=np.int32)
            self._cells[places[::-1]] = order[::-1]
            firsts = self._cells[places] == order
            found = places[firsts]
            self._cells[found] = np.arange(first + 1, first + 1 + found.size)
            numbers[new] = self._cells[places]
            new = new[firsts]
        numbers -= 1
        return numbers, new

    def _places(self, addresses: Indices) -> Indices:
        places = addresses >> _CELL_BITS
        places &= _CELLS - 1
        places += self._directory[addresses >> _CHUNK_BITS]
        return places

    def _make_room(self, addresses: Indices) -> None:
        chunks = addresses >> _CHUNK_BITS
        missing = self._directory[chunks] == 0
        if not missing.any():
            return
        fresh = np.unique(chunks[missing])
        needed = (self._chunks + fresh.size) * _CELLS
        if needed > self._cells.size:
            cells = _blank(2 * needed, np.int32)
            used = np.flatnonzero(self._cells)  # the rest must stay untouched
            cells[used] = self._cells[used]
            self._cells = cells
        self._directory[fresh] = np.arange(self._chunks, self._chunks + fresh.size) * _CELLS
        self._chunks += fresh.size


def _blank(size: int, dtype: type[np.int32 | np.int64]) -> npt.NDArray[Any]:
    """Zeros that take no memory before they are written to; huge pages would make each take 2 MiB."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    memory = mmap.mmap(-1, size * np.dtype(dtype).itemsize, flags=flags)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype=dtype)


def addresses_of(objects: list[Any]) -> Indices:
    """Each object's `id`, shape (len(objects),)."""
    if not _KNOWN_LAYOUT:
        return np.fromiter(map(id, objects), dtype=np.int64, count=len(objects))
    if not objects:
        return np.empty(0, dtype=np.int64)
    header = _words(id(objects), _ITEMS + 1)
    return _words(int(header[_ITEMS]), len(objects)).copy()


def type_addresses(objects: Sequence[object], addresses: Indices) -> Indices:
    """The `id` of each object's type, shape (n,)."""
    if not _KNOWN_LAYOUT:
        return np.fromiter(map(id, map(type, objects)), dtype=np.int64, count=len(objects))
    return _word_of_each(addresses, _TYPE)


def reference_counts(objects: Sequence[object], addresses: Indices, at: Indices) -> Indices:
    """How many references some of the objects have; more than there can be where one never dies; shape (len(at),)."""
    if not _KNOWN_LAYOUT:
        return np.array([sys.getrefcount(objects[i]) - 1 for i in at.tolist()], dtype=np.int64)
    counts = _word_of_each(addresses[at], 0)
    # From CPython 3.12 on, immortal objects have the sign bit of the lower half set.
    return np.where(counts & 0x8000_0000, np.iinfo(np.int64).max, counts & 0xFFFF_FFFF)


def lengths(objects: Sequence[object], addresses: Indices, at: Indices) -> Indices:
    """The length of some of the objects, which must have one: dictionaries or tuples, say; shape (len(at),)."""
    if not _KNOWN_LAYOUT:
        return np.array([len(objects[i]) for i in at.tolist()], dtype=np.int64)
    return _word_of_each(addresses[at], _SIZE)


def has_lengths() -> bool:
    """Whether the word in the headers of objects with items can be read, which `len` may not tell."""
    return _KNOWN_LAYOUT


def _word_of_each(addresses: Indices, word: int) -> Indices:
    if not addresses.size:
        return addresses
    base = int(addresses.min())
    words = _words(base, (int(addresses.max()) - base) // _WORD + word + 1)
    found: Indices = words[((addresses - base) >> 3) + word]
    return found


def _words(address: int, count: int) -> npt.NDArray[np.int64]:
    """Memory as it is; only what is then indexed is read."""
    return np.asarray(_Memory(address, count))


class _Memory:
    """A piece of this process's memory, by NumPy's array interface."""

    def __init__(self, address: int, count: int) -> None:
        self.__array_interface__ = {"data": (address, True), "shape": (count,), "typestr": "<i8", "version": 3}


def _layout_is_known() -> bool:
    """Whether objects look as they do in CPython 3.11 to 3.14 with a global interpreter lock, 64 bits."""
    if sys.implementation.name != "cpython" or "t" in sys.abiflags or sys.maxsize < 2**32 or sys.byteorder != "little":
        return False
    probe: list[object] = [object(), "text", (1, 2, 3), {}, [None]]
    header = _words(id(probe), _ITEMS + 1)
    if header[_TYPE] != id(list) or header[_SIZE] != len(probe):
        return False
    return bool(_words(int(header[_ITEMS]), len(probe)).tolist() == list(map(id, probe)))


_KNOWN_LAYOUT = _layout_is_known()
