"""What the headers of objects say, of many thousands at once, where Python would need an integer object for each.

CPython's `id` is the address, and an object begins with its reference count and the address of its type. Whether that
holds for this interpreter is tried at the first use; where it does not, the slow and plain way is taken.
"""

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from labserver.heap.layout.memory import words

Indices = npt.NDArray[np.integer]

_TYPE, _SIZE, _ITEMS = 1, 2, 3  # words of an object's header: its type, its length, a list's items


def addresses_of(objects: list[Any]) -> Indices:
    """Each object's `id`, shape (len(objects),)."""
    if not headers_are_known():
        return np.fromiter(map(id, objects), dtype=np.int64, count=len(objects))
    if not objects:
        return np.empty(0, dtype=np.int64)
    header = words(id(objects), _ITEMS + 1)
    return words(int(header[_ITEMS]), len(objects)).copy()


def type_addresses(objects: Sequence[object], addresses: Indices) -> Indices:
    """The `id` of each object's type, shape (n,)."""
    if not headers_are_known():
        return np.fromiter(map(id, map(type, objects)), dtype=np.int64, count=len(objects))
    return word_of_each(addresses, _TYPE)


def reference_counts(objects: Sequence[object], addresses: Indices, at: Indices) -> Indices:
    """How many references some of the objects have; more than there can be where one never dies; shape (len(at),)."""
    if not headers_are_known():
        return np.array([sys.getrefcount(objects[i]) - 1 for i in at.tolist()], dtype=np.int64)
    counts = word_of_each(addresses[at], 0)
    # From CPython 3.12 on, immortal objects have the sign bit of the lower half set.
    return np.where(counts & 0x8000_0000, np.iinfo(np.int64).max, counts & 0xFFFF_FFFF)


def lengths(objects: Sequence[object], addresses: Indices, at: Indices) -> Indices:
    """The length of some of the objects, which must have one: dictionaries or tuples, say; shape (len(at),)."""
    if not headers_are_known():
        return np.array([dict.__len__(objects[i]) for i in at.tolist()], dtype=np.int64)
    return word_of_each(addresses[at], _SIZE)


def word_of_each(addresses: Indices, word: int) -> Indices:
    """The same word of some objects, counted from where each begins; shape as given."""
    if not addresses.size:
        return addresses
    base = int(addresses.min())
    memory = words(base, (int(addresses.max()) - base) // 8 + word + 1)
    found: Indices = memory[((addresses - base) >> 3) + word]
    return found


@cache
def headers_are_known() -> bool:
    """Whether objects look as they do in CPython 3.11 to 3.15 with a global interpreter lock, 64 bits."""
    if sys.implementation.name != "cpython" or "t" in sys.abiflags or sys.maxsize < 2**32 or sys.byteorder != "little":
        return False
    probe: list[object] = [object(), "text", (1, 2, 3), {}, [None]]
    header = words(id(probe), _ITEMS + 1)
    if header[_TYPE] != id(list) or header[_SIZE] != len(probe):
        return False
    return bool(words(int(header[_ITEMS]), len(probe)).tolist() == list(map(id, probe)))
