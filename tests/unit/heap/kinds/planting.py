"""A table of all the ways in which an object can be held: each plants some buffers and says what must be found."""

import sys
import types
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

COUNT, SIZE = 20, 20_000
TOTAL = COUNT * SIZE


@dataclass
class Kind:
    """One way to hold.

    Attributes:
        name: the plant's.
        plant: plants the buffers.
        paths: how the path may read, up to its last edge; empty for what nobody can see.
        reason: why nobody can.
    """

    name: str
    plant: Callable[["Plant"], None]
    paths: tuple[str, ...]
    reason: str | None


@dataclass
class Plant:
    """What was planted for one kind; the buffers are remembered by address only."""

    name: str
    bytes_of: dict[int, int] = field(default_factory=dict)
    types: dict[int, type] = field(default_factory=dict)
    leaving: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self):
        self.shop = types.ModuleType(f"shop.{self.name}")
        sys.modules[self.shop.__name__] = self.shop
        self.leaving.callback(sys.modules.pop, self.shop.__name__)
        self.leaving.callback(self.shop.__dict__.clear)

    def note(self, obj, size=None):
        """Remember an object as planted; returns it."""
        self.types[id(obj)] = type(obj)
        self.bytes_of[id(obj)] = sys.getsizeof(obj) if size is None else size
        return obj

    def buffer(self, size=TOTAL):
        return self.note(bytes(size))

    def buffers(self, count=COUNT):
        return [self.buffer(SIZE) for _ in range(count)]

    def odd_buffers(self):
        """Buffers that end before the look, of sizes that nothing else has: an address may be used again."""
        return [self.buffer(SIZE // 2 + 111 * number) for number in range(COUNT)]

    @property
    def total(self):
        return sum(self.bytes_of.values())


KINDS: dict[str, Kind] = {}


def kind(*paths, reason=None):
    """Register a plant.

    Args:
        paths: how the path may read, where `shop` is the plant's own module.
        reason: why it cannot be seen, instead of paths.
    """

    def register(plant):
        assert plant.__name__ not in KINDS, plant.__name__
        KINDS[plant.__name__] = Kind(plant.__name__, plant, paths, reason)
        return plant

    return register
