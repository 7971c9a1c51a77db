"""A chain of references from a root to an object, as data; its one line for people is made here and read nowhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import Any, Self

from labserver.heap.edge import UNKNOWN, Edge, EdgeKind
from labserver.heap.message import Message

_ARROW = " → "
_BRACKETS = ("[", "{")  # around the keys and indices that stand for steps without a name
_LAST_NAMED = 2  # steps of a path that is abridged


@dataclass(frozen=True, slots=True)
class Link(Message):
    """One object of a chain.

    Attributes:
        edge: how the object before refers to it; None for the root.
        type: the object's type, by name.
        name: what a reader calls it: a module's, class's or function's name, else its type.
        bases: the type and those that it derives from, by their full names, the nearest first; empty where the
            interpreter brings the type along, and from a version that did not tell.
    """

    edge: Edge | None
    type: str
    name: str
    bases: tuple[str, ...] = field(default=(), compare=False)  # paths from two versions are the same path

    @property
    def words(self) -> str:
        """The edge in words; none for the root."""
        return "" if self.edge is None else self.edge.words

    @property
    def is_module(self) -> bool:
        """Whether it is a module as a root."""
        return self.edge is None and self.type == "module"

    @property
    def title(self) -> str:
        """The name, with what it is where that is a module."""
        return f"module {self.name}" if self.is_module else self.name

    def in_words(self) -> dict[str, Any]:
        """The link as JSON for people, who read the edge in words."""
        return {"edge": None if self.edge is None else self.words, "type": self.type, "name": self.name}

    def to_json(self) -> dict[str, Any]:
        """The same for other versions: the first one knows but the words, so the edge is added where they tell less."""
        told = self.edge is None or Edge.of_words(self.words) == self.edge
        how = {} if self.edge is None or told else {"how": self.edge.to_json()}
        return self.in_words() | how | ({"bases": list(self.bases)} if self.bases else {})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read it back."""
        edge = None
        if (words := values["edge"]) is not None:
            told = Edge.from_json(values.get("how") or {"kind": EdgeKind.OTHER})
            edge = Edge.of_words(words) if told.kind is EdgeKind.OTHER else told
        return cls(edge, values["type"], values["name"], tuple(values.get("bases", ())))


@dataclass(frozen=True, slots=True)
class Chain:
    """A path of references from a root to an object. Keys and indices are generalised, so that equal paths compare."""

    links: tuple[Link, ...]

    @property
    def steps(self) -> list[str]:
        """The chain as a reader meets it: the root, each edge, and the last object's type; a module alone says it."""
        first, *others = self.links
        edges = [step(owner, link) for owner, link in pairwise(self.links)]
        return [first.title, *edges, *([self.links[-1].type] if others or not first.is_module else [])]

    @property
    def path(self) -> str:
        """The same in one line: `module shop.jobs → STORE → JobStore._jobs → ['…'] → JobResult.image → bytes`."""
        return in_one_line(self.steps)

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
    return _ARROW.join(steps)


def abridged(path: str) -> str:
    """A path within a sentence: where it begins, and the last steps that have names, by which a reader knows it."""
    steps = path.split(_ARROW)
    named = [at for at, step in enumerate(steps) if not step.startswith(_BRACKETS)]
    last = next(iter(named[-_LAST_NAMED:]), 0)
    return in_one_line([steps[0], "…", *steps[last:]]) if last > 2 else path


def step(owner: Link, link: Link) -> str:
    """An edge in a line: words and brackets stand alone, an attribute stands with its owner."""
    edge = link.edge or UNKNOWN
    alone = edge.stands_alone or owner.is_module
    return edge.general_words if alone else f"{owner.name if owner.edge is not None else owner.type}.{edge.words}"
