"""What tracemalloc knows of a block by its address, also of one to which there is no reference.

`tracemalloc` itself asks for the object. Where nothing refers to one, there is none to ask with; and up to CPython 3.11
it looks at the wrong place for instances whose attributes have no dictionary.
"""

import ctypes
import tracemalloc
from collections.abc import Callable
from functools import cache
from typing import Any

from labserver.heap.layout.objects import headers_are_known

Trace = tuple[tuple[str, int], ...]
"""The stack that allocated a block: file and line of each frame, the allocating one first."""

_PYTHONS = 0  # the domain of Python's own allocators


def trace_of(block: int) -> Trace | None:
    """The stack that allocated the block at an address; None where none is traced there, or that cannot be asked."""
    ask = _asked()
    found = None if ask is None else ask(_PYTHONS, block)
    return found if type(found) is tuple else None


@cache
def _asked() -> Callable[[int, int], Any] | None:
    """CPython's function that looks an address up; it dereferences nothing."""
    if not headers_are_known():
        return None
    try:
        return ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_uint, ctypes.c_size_t)(
            ("_PyTraceMalloc_GetTraceback", ctypes.pythonapi)
        )
    except AttributeError:
        return None


def can_be_traced() -> bool:
    """Whether traces can be looked up by address just now."""
    return tracemalloc.is_tracing() and _asked() is not None
