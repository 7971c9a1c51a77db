"""A number for each object's address, for many thousands at once."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from labserver.heap.layout.objects import Indices

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
