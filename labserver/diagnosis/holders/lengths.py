"""How many entries a container has, as C counts them: a class derived from it may have its own idea."""

import functools
import gc
from collections import OrderedDict, deque
from typing import Any

from labserver.heap.is_a import is_a

_COUNTED: tuple[type[Any], ...] = (OrderedDict, dict, list, set, frozenset, deque, tuple, bytearray)


def length_of(container: object) -> int | None:
    """The entries of a builtin container, or of what is derived from one; None for all else."""
    if is_a(container, functools._lru_cache_wrapper):  # noqa: SLF001 - the type has no public name
        tables = [held for held in gc.get_referents(container) if type(held) is dict]
        return max(map(dict.__len__, tables), default=None)
    kind = next((kind for kind in _COUNTED if is_a(container, kind)), None)
    return None if kind is None else int(kind.__len__(container))
