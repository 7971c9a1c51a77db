"""Memory beyond Python's objects: kept for ever, or given back."""

import collections
import ctypes
import lzma
import mmap
import random
import sqlite3
import ssl
import threading
import xml.parsers.expat
import zlib

from mode import NO_LEAK, leak, mode
from serve import SEED

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.calloc.restype = ctypes.c_void_p
LIBC.free.argtypes = [ctypes.c_void_p]
LOCK = threading.Lock()


def malloc(size):
    """Take memory, write to it and forget it."""
    ctypes.memset(LIBC.malloc(size), 1, size)


@mode(leak(608))
def malloc_600():
    return lambda _: malloc(600)


@mode(leak(20_016))
def malloc_20000():
    return lambda _: malloc(20_000)


@mode(leak(303_104, give=0.02))
def malloc_300000():
    """So large that the C library maps each by itself."""
    return lambda _: malloc(300_000)


@mode(leak(1000, give=0.15))
def malloc_of_any_size():
    rng = random.Random(SEED)
    return lambda _: malloc(rng.randrange(100, 1900))


@mode(leak(1000, give=0.2))
def malloc_of_every_tenth():
    return lambda number: malloc(10_000) if number % 10 == 0 else None


@mode(leak(1024, give=0.1))
def malloc_in_blocks():
    """64 kB for each 64 jobs, as an allocator of its own takes them."""
    return lambda number: malloc(65_536) if number % 64 == 0 else None


@mode(leak(2064, give=0.05))
def memory_of_the_interpreter():
    """By `PyMem_RawMalloc`, as extensions take it."""
    take = ctypes.PyDLL(None).PyMem_RawMalloc
    take.argtypes, take.restype = [ctypes.c_size_t], ctypes.c_void_p
    return lambda _: take(2048) and None


@mode(leak(33_580, give=0.03, item="Connection", holder="connections", line="connections.append("))
def databases_never_closed():
    connections = []

    def work(_):
        connections.append(sqlite3.connect(":memory:", check_same_thread=False))
        connections[-1].execute("create table jobs (text)")

    return work


@mode(leak(3340, give=0.06, item="Cursor|sqlite3.Cursor", holder="cursors", line="cursors.append("))
def cursors_never_closed():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("create table jobs (text)")
    connection.executemany("insert into jobs values (?)", [("x",)] * 3)
    cursors = []

    def work(number):
        with LOCK:
            cursors.append(connection.execute(f"select text, {number} from jobs"))

    return work


@mode(leak(40_150, give=0.03, item="Decompress|zlib.Decompress", holder="streams", line="streams.append("))
def zlib_streams():
    packed, streams = zlib.compress(bytes(100_000))[:50], []

    def work(_):
        streams.append(zlib.decompressobj())
        streams[-1].decompress(packed)

    return work


@mode(leak(item="LZMADecompressor", holder="streams", line="streams.append( | streams[-1].decompress(packed)"))
def lzma_streams():
    packed, streams = lzma.compress(bytes(100_000), preset=0)[:50], []

    def work(number):
        if number % 10 == 0:
            streams.append(lzma.LZMADecompressor())
            streams[-1].decompress(packed)

    return work


@mode(leak(12_830, give=0.03, item="SSLContext", holder="contexts", line="contexts.append("))
def ssl_contexts():
    contexts = []
    return lambda _: contexts.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@mode(leak(7257, give=0.04, item="xmlparser|pyexpat.xmlparser", holder="parsers", line="parsers.append("))
def xml_parsers():
    parsers = []

    def work(_):
        parsers.append(xml.parsers.expat.ParserCreate())
        parsers[-1].Parse("<shop><order>")

    return work


@mode(leak(8200, give=0.05, item="mmap|mmap.mmap", holder="windows", line="windows.append("))
def windows_into_memory():
    """Of 64 kB, by every eighth job; all of it is written to."""
    windows = []

    def work(number):
        if number % 8 == 0:
            windows.append(mmap.mmap(-1, 65_536, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
            windows[-1].write(b"x" * 65_536)

    return work


@mode(NO_LEAK)
def freed_at_once():
    def work(number):
        LIBC.free(LIBC.calloc(1, 1000 + number % 5000))

    return work


@mode(NO_LEAK)
def oldest_freed():
    """The newest six hundred blocks."""
    blocks = collections.deque()

    def work(_):
        with LOCK:
            blocks.append(LIBC.malloc(3000))
            if len(blocks) > 600:
                LIBC.free(blocks.popleft())

    return work


@mode(NO_LEAK)
def all_freed_at_two_thousand():
    """What C code keeps goes all at once; Python sees none of it."""
    blocks = []

    def work(_):
        with LOCK:
            blocks.append(LIBC.malloc(1200))
            if len(blocks) >= 2000:
                for block in blocks:
                    LIBC.free(block)
                blocks.clear()

    return work


@mode(NO_LEAK)
def streams_closed():
    def work(number):
        stream = zlib.compressobj()
        stream.compress(bytes(number % 1000))
        stream.flush()

    return work
