"""What takes something out of a container, and whether that comes by itself."""

import weakref
from itertools import islice
from typing import Any

from labserver.diagnosis.holders.reading import Passage, Reading
from labserver.diagnosis.holders.running import Running
from labserver.heap.heap_growth import Removal
from labserver.heap.is_a import is_a, is_any, text_of
from labserver.heap.tracemalloc_tools import short_path

_SAMPLES = 20  # items
# What a class offers, and what ends it: nobody may call it.
_OFFERED = frozenset(
    {
        *("clear", "close", "reset", "shutdown", "delete", "remove", "discard", "pop", "popitem", "__delitem__"),
        *("__del__", "__exit__", "__setstate__", "cache_clear", "unregister", "disconnect"),
    }
)


def removal_from(container: object, reading: Reading, running: Running, *, known: bool) -> Removal:
    """What the code around a container says about letting go of its items.

    Args:
        container: the container.
        reading: the code.
        running: what runs by itself.
        known: whether the container's own methods are known, as a builtin's are.
    """
    found = reading.removing()
    begun = [one for one, _ in found if running.runs(one.place.code) or _is_called(one, running)]
    # What a reader looks at first: what comes by itself, what makes room for what it adds, what really takes it out.
    ranks = [
        (
            not any(one is other for other in begun),
            not one.handling.adds,
            not one.handling.removals,
            not one.place.own,
            one.name in _OFFERED,
        )
        for one, _ in found
    ]
    chosen = min(range(len(found)), key=ranks.__getitem__, default=None)
    by = _weak(container) if chosen is None else _where(*found[chosen])
    return Removal(seen=known and reading.seen, by=by, runs=bool(begun))


def _is_called(passage: Passage, running: Running) -> bool:
    """Whether what runs calls it by its name, in its own module."""
    return len(passage.name) > 3 and running.calls(passage.name, passage.place.routine.namespace)


def _where(passage: Passage, line: int) -> str:
    code = passage.place.code
    name = text_of(code.co_qualname).rpartition("<locals>.")[2]
    return f"{name} ({short_path(text_of(code.co_filename))}:{line})"


def _weak(container: object) -> str | None:
    """What takes the dead out, where the items are weak references with a callback."""
    if is_a(container, dict):
        items: list[Any] = [*islice(dict.values(container), _SAMPLES), *islice(dict.keys(container), _SAMPLES)]
    elif is_any(container, (set, frozenset)):
        items = list(islice((set if is_a(container, set) else frozenset).__iter__(container), _SAMPLES))
    else:
        return None
    callback = vars(weakref.ref)["__callback__"]
    if any(is_a(item, weakref.ref) and callback.__get__(item) is not None for item in items):
        return "the callback of its weak references"
    return None
