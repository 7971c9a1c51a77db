"""The container of a heap file: named chunks, each compressed and with a checksum of its own, and an end that says so.

`docs/heap_file.md` describes every byte. Whoever reads a chunk knows before it is used whether it is whole, and a file
that ends early, or that a newer version wrote, is told in one sentence.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from labserver.errors import UsageError
from labserver.heap.layout.objects import Indices

MAGIC = b"\x89LSHEAP\n"  # the first byte is no text, the last one shows a transfer that changed line ends
VERSION = (1, 0)
"""Major and minor: a reader refuses a newer major one, and passes over the chunks that a newer minor one adds."""

END = "end"
PIECE = 1 << 16
"""Numbers in a chunk: so many are in memory at once beside the column that they are of."""

_HEAD = struct.Struct("<8sHHI")
_CHUNK = struct.Struct("<12sBBHII")  # name, kind, width, nothing, numbers, bytes
_SUM = struct.Struct("<I")  # of both, that and what follows
_JSON, _NUMBERS, _DIFFERENCES = range(3)
_LEVEL = 1  # of zlib; level 6 takes twice the time for a fifth less
_LARGEST_NAME = 12
_LARGEST_TEXT = 1 << 31  # bytes of a JSON chunk: what claims more is broken


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk as it was read.

    Attributes:
        name: of the column that it is a piece of, or of the JSON value.
        value: integers, shape (k,), or what the JSON says.
    """

    name: str
    value: Any


class ChunkWriter:
    """Writes chunks to a file, from its beginning to `close`.

    Args:
        file: open for writing; it is not closed.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._chunks = 0
        file.write(_HEAD.pack(MAGIC, *VERSION, 0))

    def numbers(self, name: str, column: Indices, *, differences: bool = False) -> None:
        """Write a column of integers, a piece at a time.

        Args:
            name: of the column.
            column: shape (n,).
            differences: whether each number is written as its difference to the one before it, within its piece.
        """
        for first in range(0, max(column.size, 1), PIECE):
            self._piece(name, column[first : first + PIECE], differences=differences)

    def json(self, name: str, value: Any) -> None:
        """Write a JSON value."""
        self._chunk(name, _JSON, 1, 0, json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode())

    def close(self) -> None:
        """Write the end; what has none was not written to its end."""
        self.json(END, {"chunks": self._chunks})
        self._file.flush()

    def _piece(self, name: str, piece: Indices, *, differences: bool) -> None:
        numbers = piece.astype(np.int64)
        if differences:
            numbers = np.diff(numbers, prepend=np.int64(0))
        # The sign goes into the lowest bit, so that small numbers of either sign have few bytes.
        plain = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
        width = max((int(plain.max(initial=0)).bit_length() + 7) // 8, 1)
        # All lowest bytes, then all second ones: alike stands beside alike.
        planes = plain.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].T
        kind = _DIFFERENCES if differences else _NUMBERS
        self._chunk(name, kind, width, piece.size, planes.tobytes())

    def _chunk(self, name: str, kind: int, width: int, count: int, content: bytes) -> None:
        packed = zlib.compress(content, _LEVEL)
        called = name.encode("ascii")
        assert len(called) <= _LARGEST_NAME  # noqa: S101 - a mistake of a developer
        head = _CHUNK.pack(called, kind, width, 0, count, len(packed))
        self._file.write(head + _SUM.pack(zlib.crc32(packed, zlib.crc32(head))))
        self._file.write(packed)
        self._chunks += 1


def chunks_of(file: IO[bytes], name: str) -> Iterator[Chunk]:
    """Read all chunks of a heap file but the end, one after another.

    Args:
        file: open for reading.
        name: what a sentence calls it.

    Raises:
        UsageError: it is no heap file, a newer version's, damaged, or ends early.
    """
    head = file.read(_HEAD.size)
    if not head.startswith(MAGIC):
        raise UsageError(f"{name} is no heap file: 'labserver heap save' makes one.")
    if len(head) < _HEAD.size:
        raise _ends_early(name)
    _, major, minor, _ = _HEAD.unpack(head)
    if major > VERSION[0]:
        raise UsageError(
            f"{name} is a heap file of version {major}.{minor}, and this labserver reads up to {VERSION[0]}: use the "
            "labserver that wrote it, or a newer one."
        )
    count = 0
    while True:
        chunk = _read(file, name)
        if chunk.name == END:
            if chunk.value != {"chunks": count}:
                raise UsageError(f"{name} is damaged: parts of it are missing. Save the heap again.")
            return
        count += 1
        yield chunk


def _read(file: IO[bytes], name: str) -> Chunk:
    head = file.read(_CHUNK.size + _SUM.size)
    if len(head) < _CHUNK.size + _SUM.size:
        raise _ends_early(name)
    called, kind, width, _, count, length = _CHUNK.unpack_from(head)
    packed = file.read(length) if length <= _LARGEST_TEXT else b""
    if len(packed) < length:
        raise _ends_early(name)
    if zlib.crc32(packed, zlib.crc32(head[: _CHUNK.size])) != _SUM.unpack_from(head, _CHUNK.size)[0]:
        raise _is_damaged(name)
    try:
        content = _unpacked(packed, None if kind == _JSON else width * count)
        value = json.loads(content) if kind == _JSON else _numbers(content, width, differences=kind == _DIFFERENCES)
        return Chunk(called.rstrip(b"\0").decode("ascii"), value)
    except (ValueError, zlib.error) as error:
        raise _is_damaged(name) from error


def _unpacked(packed: bytes, length: int | None) -> bytes:
    """The content, of that length: what a broken head claims takes no memory."""
    packing = zlib.decompressobj()
    content = packing.decompress(packed, _LARGEST_TEXT if length is None else max(length, 1))
    if not packing.eof or (length is not None and len(content) != length):
        raise ValueError(length)
    return content


def _numbers(content: bytes, width: int, *, differences: bool) -> Indices:
    planes = np.frombuffer(content, dtype=np.uint8).reshape(width, -1)
    whole = np.zeros((planes.shape[1], 8), dtype=np.uint8)
    whole[:, :width] = planes.T
    plain = whole.view("<u8").reshape(-1).astype(np.uint64)
    numbers = (plain >> np.uint64(1)).astype(np.int64) ^ -(plain & np.uint64(1)).astype(np.int64)
    return np.cumsum(numbers) if differences else numbers


def joined(pieces: Iterable[Indices]) -> Indices:
    """The pieces of a column as one, in the narrowest of two widths."""
    found = list(pieces)
    if not found:
        return np.zeros(0, dtype=np.int64)
    largest = max(int(np.abs(piece).max(initial=0)) for piece in found)
    kind = np.int32 if largest <= np.iinfo(np.int32).max else np.int64
    return np.concatenate([piece.astype(kind) for piece in found])


def _ends_early(name: str) -> UsageError:
    return UsageError(f"{name} ends early: it was not written, or not copied, to its end. Save the heap again.")


def _is_damaged(name: str) -> UsageError:
    return UsageError(f"{name} is damaged: a checksum in it does not fit. Copy it, or save the heap, again.")
