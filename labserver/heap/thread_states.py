"""The dictionary and the context of every thread, read from CPython's thread states.

No Python function gives another thread's. Where they stand in a `PyThreadState` is found out on the calling thread,
whose own are known; nothing is read beyond the size that the structure has in every supported version.
"""

import contextvars
import ctypes
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate, chain, repeat, takewhile
from typing import Any

import numpy as np

_WORDS = 38 if sys.version_info >= (3, 13) else 36
_MORE_THREADS = 64  # that may start while they are counted
_WORD_BYTES = ctypes.sizeof(ctypes.c_void_p)


def thread_dicts() -> list[tuple[int, dict[object, object]]] | None:
    """Every thread's identifier and dictionary, where it has one; None where they cannot be read."""
    return _held_at(_dict_offset())


def thread_contexts() -> list[tuple[int, contextvars.Context]] | None:
    """Every thread's identifier and context, where it has one; None where they cannot be read."""
    return _held_at(_context_offset())


def thread_keys() -> list[tuple[int, object]]:
    """What keeps every thread's thread-locals alive besides its dictionary, from CPython 3.13 on; never followed."""
    return _held_at(_key_offset()) or []


def _held_at(offset: int | None) -> list[tuple[int, Any]] | None:
    ident_offset = _ident_offset()
    if offset is None or ident_offset is None:
        return None
    size = _WORDS * _WORD_BYTES
    collecting = gc.isenabled()
    gc.disable()
    try:
        words = np.zeros(_WORDS * (len(list(_states())) + _MORE_THREADS), dtype=np.uintp)
        places = range(words.ctypes.data, words.ctypes.data + words.nbytes, size)
        copies = map(_copy(), places, _states(), repeat(size))
        held = map(words.item, range(offset // _WORD_BYTES, words.size, _WORDS))
        # No bytecode runs between finding a thread state and taking the reference, no finalizer and no audit hook: the
        # interpreter's lock is kept throughout, so no thread can end meanwhile. Hence these iterators, which are all C.
        count = len(list(zip(copies, map(_c("Py_IncRef", 1), held), strict=False)))
    finally:
        if collecting:
            gc.enable()
    found = []
    for first in range(0, count * _WORDS, _WORDS):
        address = words.item(first + offset // _WORD_BYTES)
        if address:
            ident = words.item(first + ident_offset // _WORD_BYTES)
            found.append((ident, ctypes.cast(address, ctypes.py_object).value))
            _c("Py_DecRef", 1)(address)
    return found


def _states() -> Iterator[int]:
    """The addresses of this interpreter's thread states."""
    interpreter = _c("PyInterpreterState_Get")()
    # The second argument is none of the function's: the caller of a C function clears its arguments away, so one too
    # many does no harm, and `accumulate` has one to give.
    following = _c("PyThreadState_Next", 2)
    first = map(_c("PyInterpreterState_ThreadHead", 1), [interpreter])
    return takewhile(bool, accumulate(chain(first, repeat(0)), following))


@cache
def _copy() -> Callable[[int, int, int], object]:
    """`memmove`, which keeps the interpreter's lock as `ctypes.memmove` does not."""
    address = ctypes.cast(ctypes.memmove, ctypes.c_void_p).value
    return ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(address or 0)


@cache
def _ident_offset() -> int | None:
    return _offset_of(threading.get_ident())


@cache
def _dict_offset() -> int | None:
    threading.local().made = True  # a thread gets its dictionary when it first needs one
    own = ctypes.PYFUNCTYPE(ctypes.c_void_p)(("PyThreadState_GetDict", ctypes.pythonapi))()
    return _offset_of(own) if own else None


@cache
def _context_offset() -> int | None:
    found = set()
    for _ in range(2):
        context = contextvars.Context()
        found.add(context.run(_offset_of, id(context)))
    return found.pop() if len(found) == 1 else None


@cache
def _key_offset() -> int | None:
    local = threading.local()
    local.made = True
    # Weak references to an object of the thread's: when it goes, the thread's values go.
    weak = [item for held in gc.get_referents(local) if isinstance(held, dict | set) for item in held]
    keys = [item() for item in weak if isinstance(item, weakref.ref)]
    return _offset_of(id(keys[0])) if len(keys) == 1 else None


def _offset_of(word: int) -> int | None:
    """Where the calling thread's state has this word, in bytes; None unless there is exactly one such place."""
    if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    state = _c("PyThreadState_Get")()
    words = list((ctypes.c_size_t * _WORDS).from_address(state))
    return words.index(word) * _WORD_BYTES if words.count(word) == 1 else None


@cache  # each prototype is a class of its own
def _c(name: str, arguments: int = 0) -> Callable[..., Any]:
    """A function of CPython's C interface on addresses; it keeps the interpreter's lock."""
    return ctypes.PYFUNCTYPE(ctypes.c_void_p, *[ctypes.c_void_p] * arguments)((name, ctypes.pythonapi))
