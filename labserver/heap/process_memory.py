"""Bytes in use by this process, from its allocators' own books: no tracing, a fifth of a millisecond a reading.

Python's small objects (up to 512 bytes) live in pymalloc's arenas, everything else in the C library's heap. Both keep
account of what is in use; arenas that are merely kept, which is what makes resident memory mislead, do not count.
Memory that is mapped directly (`mmap`, a driver's buffers) is in neither: it is what the process has beyond both.
"""

import ctypes
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psutil

from labserver.system import KEEPS_BOOKS

_IN_USE = re.compile(rb"bytes in allocated blocks\s*=\s*([\d,]+)")
_ARENA_BYTES = re.compile(rb"(\d+) arenas \* (\d+) bytes/arena\s*=\s*([\d,]+)")
_PRIVATE = re.compile(rb"^Rss(?:Anon|Shmem):\s*(\d+) kB", re.MULTILINE)
_STATUS = Path("/proc/self/status")


def heap_bytes() -> int | None:
    """Bytes that are allocated and not freed, Python's and native ones; None where the platform keeps no such books."""
    small = small_objects_bytes()
    if small is None or not hasattr(psutil, "heap_info"):
        return None
    native = psutil.heap_info()
    return small + int(native.heap_used) + int(native.mmap_used)


def small_objects_bytes() -> int | None:
    """Bytes that Python's own allocator has in use, for objects up to 512 bytes; None where nobody knows."""
    statistics = _pymalloc_statistics()
    found = _IN_USE.search(statistics()) if statistics is not None else None
    return None if found is None else _number(found[1])


def mapped_bytes() -> int | None:
    """Memory in pages of the process's own beyond its allocators' arenas; None where nobody knows.

    The C library gives back first what it merely keeps. Resident pages are counted, arenas by their whole length: what
    is not resident of an arena makes the figure too small by as much, and pages that an arena fills later make it grow
    a little. So only large and lasting growth of it means anything.
    """
    statistics, libc = _pymalloc_statistics(), _glibc()
    if statistics is None or libc is None:
        return None
    arenas = _ARENA_BYTES.search(statistics())
    libc.malloc_trim(0)
    held = libc.mallinfo2()
    try:
        pages = _PRIVATE.findall(_STATUS.read_bytes())
    except OSError:
        return None
    if arenas is None or not pages:
        return None
    return 1024 * sum(map(int, pages)) - _number(arenas[3]) - int(held.arena) - int(held.hblkhd)


def give_back_freed_memory() -> None:
    """Let the system have the pages that the C library keeps of freed memory, with all that still stands in them."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def spare_bytes() -> int | None:
    """What the C library keeps of freed memory, such as after `mapped_bytes`; None where nobody knows."""
    libc = _glibc()
    return None if libc is None else int(libc.mallinfo2().fordblks)


class _MallInfo(ctypes.Structure):
    """`struct mallinfo2` of glibc 2.33 and later: all arenas together."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in _names.split()]


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
        libc.mallinfo2.restype = _MallInfo
        libc.malloc_trim.argtypes = [ctypes.c_size_t]
    except (AttributeError, OSError):
        return None
    return libc


def _number(digits: bytes) -> int:
    return int(digits.replace(b",", b""))


@cache
def _pymalloc_statistics() -> Callable[[], bytes] | None:
    """What `sys._debugmallocstats()` prints, as bytes; None where it cannot be had.

    The function of `sys` writes to the process's standard error, which belongs to the application; the C function
    below it writes to any stream, also to one in memory.
    """
    if sys.implementation.name != "cpython" or not KEEPS_BOOKS:
        return None
    try:
        libc = ctypes.CDLL(None)
        libc.open_memstream.restype = ctypes.c_void_p
        write = ctypes.pythonapi._PyObject_DebugMallocStats  # noqa: SLF001 - the only source of the exact figure
    except (AttributeError, OSError):
        return None
    write.argtypes, write.restype = [ctypes.c_void_p], ctypes.c_int

    def statistics() -> bytes:
        text, size = ctypes.c_void_p(), ctypes.c_size_t()
        stream = libc.open_memstream(ctypes.byref(text), ctypes.byref(size))
        if not stream:
            return b""
        try:
            write(stream)
        finally:
            libc.fclose(ctypes.c_void_p(stream))
        try:
            return ctypes.string_at(text, size.value)
        finally:
            libc.free(text)

    return statistics
