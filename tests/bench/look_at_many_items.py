"""What a look takes of the CPU where a holder has got hundreds of thousands of items, or items in a thousand places.

Prints as JSON, for each kind, the seconds of its parts: the walk, the search for holders, the roots of their paths, the
places of the items, and what remembers them; run in a process of its own.
"""

import gc
import json
import sys
import time
import types
from collections.abc import Callable
from typing import Any

from labserver.diagnosis.holders import find
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.diagnosis.holders.survival import Memory
from labserver.heap.graph import heap_graph

ITEMS, PLACES, LOOKS = 300_000, 1024, 2
SHOP = types.ModuleType("shop")


class Order:
    """An item with a namespace of its own."""

    def __init__(self, number: int) -> None:
        self.number, self.image = number, bytes(40)


def a_list(_: int) -> None:
    """Lists in a list."""
    SHOP.KEPT.extend([number] for number in range(ITEMS))


def instances(_: int) -> None:
    """Instances in a list of a quarter of a million."""
    SHOP.KEPT.extend(map(Order, range(ITEMS // 5)))


def replaced(look: int) -> None:
    """A dictionary whose owner gets a new one with more in it."""
    SHOP.KEPT = {**SHOP.KEPT, **{f"{look} {number}": (number,) for number in range(ITEMS)}}


def rows(_: int) -> None:
    """Lists whose owner gets a longer copy of each."""
    SHOP.KEPT = [[*row, *map(str, range(3))] for row in SHOP.KEPT]


def many_places(look: int) -> None:
    """A thousand dictionaries that get twenty items each."""
    for mapping in SHOP.KEPT:
        mapping.update({f"{look} {number}": bytes(50) for number in range(20)})


KINDS: dict[str, tuple[Callable[[], Any], Callable[[int], None]]] = {
    "a list": (list, a_list),
    "instances": (lambda: list(map(Order, range(250_000))), instances),
    "a replaced dictionary": (dict, replaced),
    "rows": (lambda: [["x"] for _ in range(ITEMS // 3)], rows),
    "many places": (lambda: [{str(number): bytes(50) for number in range(4)} for _ in range(PLACES)], many_places),
}


def measured(parts: dict[str, float], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose CPU seconds are added up under a name."""

    def call(*arguments: Any, **options: Any) -> Any:
        began = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            parts[name] = parts.get(name, 0.0) + time.process_time() - began

    return call


def look(parts: dict[str, float], before: Any, memory: Memory) -> Memory:
    """One look, as the instruments take it."""
    began = time.process_time()
    with heap_graph() as graph:
        parts["walk"] = time.process_time() - began
        parts["objects"] = len(graph.objects)
        found = measured(parts, "find", find.find_growth)(graph, before)
        named = [(one.fingerprint, one.item_places) for one in found.holders]
        return measured(parts, "survival", memory.after)(graph, before, named)


def main() -> None:
    """Measure, and print."""
    sys.modules["shop"] = SHOP
    found: dict[str, dict[str, float]] = {}
    rooted, items_of = find.rooted, find.items_of
    for kind, (make, grow) in KINDS.items():
        SHOP.KEPT = make()
        gc.collect()
        with heap_graph() as graph:
            before = snapshot_of(graph)
        memory, parts = Memory.at_baseline(), dict[str, float]()
        for number in range(LOOKS):
            grow(number)
            parts = {}
            find.rooted, find.items_of = measured(parts, "rooted", rooted), measured(parts, "items", items_of)
            memory = look(parts, before, memory)
        found[kind] = {name: round(value, 3) for name, value in parts.items()}
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
