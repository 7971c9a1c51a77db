"""A chain of references from a root to an object, as data; its one line for people is made here and read nowhere."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any, Self

from labserver.heap.message import Message

_LINE = re.compile(r":\d+\)$")
_TIMES = re.compile(r"×\d+$")


@dataclass(frozen=True, slots=True)
class Link(Message):
    """One object of a chain.

    Attributes:
        edge: how the object before refers to it (`_jobs`, `['…']`, `[…]`, `local image (render:41)`, `closure image`,
            `(Node.next)×998` for a list that is linked that often, `C field` for what an object made in C shows to
            nobody but the collector, `?` where it cannot be named); None for the root.
        type: the object's type, by name.
        name: what a reader calls it: a module's, class's or function's name, else its type.
    """

    edge: str | None
    type: str
    name: str

    @property
    def title(self) -> str:
        """The name, with what it is where that is a module."""
        return f"module {self.name}" if self.edge is None and self.type == "module" else self.name


@dataclass(frozen=True, slots=True)
class Chain:
    """A path of references from a root to an object. Keys and indices are generalised, so that equal paths compare."""

    links: tuple[Link, ...]

    @property
    def path(self) -> str:
        """The chain in one line: `module shop.jobs → STORE → JobStore._jobs → ['…'] → JobResult.image → bytes`."""
        return f"{self.trail} → {self.links[-1].type}"

    @property
    def trail(self) -> str:
        """The path up to its last edge: `module shop.jobs → STORE → JobStore._jobs → ['…'] → JobResult.image`."""
        return in_one_line([self.links[0].title, *(step(owner, link) for owner, link in pairwise(self.links))])

    def shared_with(self, other: "Chain") -> int:
        """With how many links both begin."""
        pairs = zip(self.links, other.links, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def to_json(self) -> list[dict[str, Any]]:
        """The links, the root first."""
        return [link.to_json() for link in self.links]

    @classmethod
    def from_json(cls, values: Iterable[Mapping[str, Any]]) -> Self:
        """Read it back."""
        return cls(tuple(map(Link.from_json, values)))


def in_one_line(steps: Iterable[str]) -> str:
    """Steps as a reader meets them."""
    return " → ".join(steps)


def step(owner: Link, link: Link) -> str:
    """An edge in a line: words and brackets stand alone, an attribute stands with its owner."""
    edge = _TIMES.sub("×N", _LINE.sub(")", link.edge or "?"))
    plain = edge[0] in "[{?(" or " " in edge or (owner.edge is None and owner.type == "module")
    return edge if plain else f"{owner.name if owner.edge is not None else owner.type}.{edge}"
