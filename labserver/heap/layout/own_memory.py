"""All memory of this process that may hold a reference, as words from the kernel, which refuses what is not mapped.

Whoever looks for references must not find its own notes of what it looks for. So each word is given inverted, and what
is kept of them is to stay so.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from labserver.heap.layout.memory import WORD
from labserver.heap.layout.objects import Indices

_MAPS, _MEMORY = Path("/proc/self/maps"), Path("/proc/self/mem")
_PIECE = 8 << 20  # bytes that are read at a time


def writable_bytes() -> int:
    """How much there is to read.

    Raises:
        OSError: the kernel shows no process its memory.
    """
    return sum(last - first for first, last in _ranges())


def inverted_words() -> Iterator[tuple[int, Indices]]:
    """Piece by piece the inverted address of the first word, and all words inverted.

    A piece is good until the next one is asked for.

    Raises:
        OSError: the kernel shows no process its memory.
    """
    room = np.zeros(_PIECE // WORD, dtype=np.int64)
    own = int(room.ctypes.data)
    descriptor = os.open(_MEMORY, os.O_RDONLY)
    try:
        for first, last in _without(_ranges(), own, own + _PIECE):
            for begin in range(first, last, _PIECE):
                wanted = room[: min(last - begin, _PIECE) // WORD]
                try:
                    count = os.preadv(descriptor, [wanted.data], begin)
                except OSError:  # what the kernel keeps there for itself
                    continue
                piece = wanted[: count // WORD]
                np.invert(piece, out=piece)
                yield ~begin, piece
    finally:
        os.close(descriptor)


def _ranges() -> list[tuple[int, int]]:
    """Where the process's own writable memory is: not what it shares with devices and other processes."""
    found = []
    for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        where, rights, *_ = line.split(None, 5)
        if rights[:2] == "rw" and rights[3] == "p":
            first, _, last = where.partition("-")
            found.append((int(first, 16), int(last, 16)))
    return found


def _without(ranges: list[tuple[int, int]], first: int, last: int) -> Iterator[tuple[int, int]]:
    """The ranges less one that lies in one of them, or in several that follow on one another."""
    for begin, end in ranges:
        parts = ((begin, min(end, first)), (max(begin, last), end)) if begin < last and first < end else ((begin, end),)
        yield from (part for part in parts if part[0] < part[1])
