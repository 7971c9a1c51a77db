import io
import struct
import zlib

import numpy as np
import pytest

from labserver.errors import UsageError
from labserver.heap.file.chunks import MAGIC, PIECE, VERSION, ChunkWriter, chunks_of, joined


def written(**columns):
    file = io.BytesIO()
    writer = ChunkWriter(file)
    writer.json("about", {"name": "ä"})
    for name, column in columns.items():
        writer.numbers(name, np.array(column), differences=name.startswith("d"))
    writer.close()
    return file.getvalue()


def read(content):
    return list(chunks_of(io.BytesIO(content), "a.heap"))


@pytest.mark.parametrize("name", ["plain", "differences"])
@pytest.mark.parametrize(
    "column",
    [
        [],
        [0],
        [-1, 1, -128, 127, 2**31, -(2**31)],
        [2**62, -(2**62), 0],
        list(range(0, 3 * PIECE, 3)),
        [7] * (PIECE + 1),
    ],
    ids=["none", "zero", "signs", "large", "several pieces", "one over"],
)
def test_integers_come_back_as_they_were(name, column):
    chunks = [chunk for chunk in read(written(**{name: column})) if chunk.name == name]
    assert joined(chunk.value for chunk in chunks).tolist() == column
    assert len(chunks) == max(-(-len(column) // PIECE), 1)


def test_a_column_is_read_into_the_narrower_width_that_holds_it():
    (_, small) = read(written(plain=[1, 2]))
    (_, large) = read(written(plain=[1, 2**40]))
    assert joined([small.value]).dtype == np.int32
    assert joined([large.value]).dtype == np.int64


def test_a_file_that_ends_anywhere_is_told_in_one_sentence():
    content = written(plain=range(300), differences=range(300))
    for length in range(len(MAGIC), len(content)):
        with pytest.raises(UsageError, match=r"^a\.heap ends early: .*\.$"):
            read(content[:length])


@pytest.mark.parametrize("content", [b"", b"{", b"PK\3\4" + bytes(100), MAGIC[:-1], b"\x89LSHEAP\r\n" + bytes(30)])
def test_what_is_no_heap_file_is_said_to_be_none(content):
    with pytest.raises(UsageError, match=r"^a\.heap is no heap file: "):
        read(content)


def test_a_newer_major_version_is_refused_and_a_newer_minor_one_read():
    content = written(plain=[1])
    at = len(MAGIC)
    newer = content[:at] + struct.pack("<HH", VERSION[0] + 1, 0) + content[at + 4 :]
    with pytest.raises(UsageError, match=rf"of version {VERSION[0] + 1}\.0, and this labserver reads up to"):
        read(newer)
    assert len(read(content[:at] + struct.pack("<HH", VERSION[0], VERSION[1] + 7) + content[at + 4 :])) == 2


def test_a_changed_byte_is_found():
    content = written(plain=range(300))
    head = len(MAGIC) + 8
    for at in range(head, len(content)):
        broken = content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :]
        with pytest.raises(UsageError, match=r"is damaged|ends early"):
            read(broken)


def test_a_chunk_that_claims_more_than_it_has_takes_no_memory():
    packed = zlib.compress(bytes(1 << 20))
    head = struct.pack("<12sBBHII", b"plain", 1, 1, 0, 16, len(packed))
    chunk = head + struct.pack("<I", zlib.crc32(packed, zlib.crc32(head))) + packed
    with pytest.raises(UsageError, match="is damaged"):
        read(MAGIC + struct.pack("<HHI", *VERSION, 0) + chunk)


def test_a_missing_chunk_is_noticed():
    file = io.BytesIO()
    writer = ChunkWriter(file)
    begin = file.tell()
    writer.json("about", 1)
    end = file.tell()
    writer.json("more", 2)
    writer.close()
    with pytest.raises(UsageError, match="parts of it are missing"):
        read(file.getvalue()[:begin] + file.getvalue()[end:])
