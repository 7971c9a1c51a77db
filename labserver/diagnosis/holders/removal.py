"""What takes something out of a container, and whether that comes by itself."""

import weakref
from itertools import islice
from typing import Any

from labserver.diagnosis.holders.reading import Passage, Reading
from labserver.diagnosis.holders.running import Running
from labserver.heap.is_a import is_a, is_any, text_of
from labserver.heap.tracemalloc_tools import short_path
from labserver.heap.wire import Removal

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
    passages = [passage for passage in reading.passages if passage.handling.removals]
    removing = reading.removing
    begun = [
        passage
        for passage in reading.passages
        if passage.name in removing and (running.runs(passage.place.code) or _is_called(passage, running))
    ]
    by_itself = bool(begun)
    chosen = min(passages, key=lambda passage: _rank(passage, reading, begun), default=None)
    by = None if chosen is None else f"{_name(chosen)} ({_file(chosen)}:{chosen.handling.removals[0]})"
    return Removal(seen=known and reading.seen, by=by or _weak(container), runs=by_itself)


def _is_called(passage: Passage, running: Running) -> bool:
    """Whether what runs calls it by its name, in its own module or in one that reaches the container."""
    return len(passage.name) > 3 and running.calls(passage.name, passage.place.routine.namespace)


def _rank(passage: Passage, reading: Reading, begun: list[Passage]) -> tuple[bool, bool, bool, bool]:
    """What a reader looks at first: what runs by itself, what makes room for an addition, what others call."""
    handling = passage.handling
    makes_room = handling.adds or bool(handling.comparisons) or _is_used(passage, reading)
    runs = any(passage is one for one in begun)
    return not runs, not passage.place.own, not makes_room, passage.name in _OFFERED


def _is_used(passage: Passage, reading: Reading) -> bool:
    return any(passage.name in one.handling.calls for one in reading.passages if one.handling.adds)


def _name(passage: Passage) -> str:
    return text_of(passage.place.code.co_qualname).rpartition("<locals>.")[2]


def _file(passage: Passage) -> str:
    return short_path(text_of(passage.place.code.co_filename))


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
