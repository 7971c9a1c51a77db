"""How one object refers to another, as data; its words are made here."""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from labserver.heap.message import Message


class EdgeKind(StrEnum):
    """What holds the reference."""

    ATTRIBUTE = "attribute"
    VALUE = "value"
    KEY = "key"
    ITEM = "item"
    MEMBER = "member"
    LOCAL = "local"
    EVALUATED = "evaluated"
    CLOSURE = "closure"
    DEFAULT = "default"
    KEYWORD_DEFAULT = "keyword default"
    GLOBAL = "global"
    CODE_CONSTANT = "code constant"
    PARTIAL_ARGUMENT = "partial argument"
    PARTIAL_KEYWORD = "partial keyword"
    CONTEXT_VARIABLE = "context variable"
    CACHE_KEY = "cache key"
    CACHE_VALUE = "cache value"
    WEAKREF_CALLBACK = "weakref callback"
    CALLBACK = "registered callback"
    ITERATED = "iterated items"
    BUFFERED = "buffered items"
    REPEATED = "repeated"  # one step again and again, as along a linked list
    C_FIELD = "C field"  # what an object that is made in C shows to nobody but the collector
    UNKNOWN = "unknown"
    OTHER = "other"  # another version's, of which only the words are known

    @classmethod
    def _missing_(cls, _: object) -> "EdgeKind":
        return cls.OTHER


_FORMS = {
    EdgeKind.ATTRIBUTE: "{name}",
    EdgeKind.VALUE: "['…']",
    EdgeKind.KEY: "{{key}}",
    EdgeKind.ITEM: "[…]",
    EdgeKind.MEMBER: "{{…}}",
    EdgeKind.LOCAL: "local {name} ({where})",
    EdgeKind.EVALUATED: "being evaluated ({where})",
    EdgeKind.CLOSURE: "closure {name}",
    EdgeKind.DEFAULT: "default {name}",
    EdgeKind.KEYWORD_DEFAULT: "keyword default {name}",
    EdgeKind.GLOBAL: "global {name}",
    EdgeKind.PARTIAL_KEYWORD: "partial keyword {name}",
    EdgeKind.CONTEXT_VARIABLE: "contextvar {name}",
    EdgeKind.REPEATED: "({name})×{number}",
    EdgeKind.UNKNOWN: "?",
    EdgeKind.OTHER: "{name}",
}
_BRACKETS = (EdgeKind.VALUE, EdgeKind.KEY, EdgeKind.ITEM, EdgeKind.MEMBER)
_UNNAMED = (EdgeKind.UNKNOWN, EdgeKind.C_FIELD)


@dataclass(frozen=True, slots=True)
class Edge(Message):
    """A reference by what holds it. Indices are left out, and keys: what is kept under each of them is kept alike.

    Attributes:
        kind: what that is.
        name: the attribute's, the variable's or the parameter's; of what repeats, the step; of a value whose key never
            changes, that key as code writes it; of another version's, all that it says.
        function: in which a frame is at work.
        number: the line of a frame, or how often a step repeats.
    """

    kind: EdgeKind = field(metadata={"read": EdgeKind})
    name: str = ""
    function: str = ""
    number: int = 0

    @classmethod
    def of_words(cls, words: str) -> Self:
        """An edge that another version tells by its words alone."""
        if words in _PLAIN:
            return cls(_PLAIN[words])
        return cls(EdgeKind.ATTRIBUTE if words.isidentifier() else EdgeKind.OTHER, words)

    @property
    def words(self) -> str:
        """What a reader would look for: `_jobs`, `['…']`, `local image (render:41)`, `(Node.next)×998`."""
        if self.kind is EdgeKind.VALUE and self.name:
            return f"[{self.name}]"
        return self._in_words(f"{self.function}:{self.number}", str(self.number))

    @property
    def general_words(self) -> str:
        """The same without lines, lengths and keys, which differ from run to run."""
        return self._in_words(self.function, "N")

    @property
    def in_code(self) -> str:
        """The same behind the code of its owner: `._jobs`, `['…']`."""
        if self.kind is EdgeKind.LOCAL:
            return f".{self.name} ({self.function}:{self.number})"
        return self.words if self.kind in _BRACKETS else f".{self.words}"

    @property
    def attribute(self) -> str | None:
        """The name by which code reaches it with a dot; None for all else."""
        return self.name if self.kind is EdgeKind.ATTRIBUTE and self.name.isidentifier() else None

    @property
    def is_named(self) -> bool:
        """Whether anything is known of it: nothing is of a field of an object that is made in C."""
        return self.kind not in _UNNAMED

    @property
    def is_one_of_many(self) -> bool:
        """Whether its owner may have any number that look alike."""
        return self.kind in _BRACKETS or not self.is_named

    @property
    def stands_alone(self) -> bool:
        """Whether it needs no owner's name before it, as an attribute does."""
        # Also a name that only `setattr` gives, such as "first name": fingerprints in users' files are made of it.
        return self.kind is not EdgeKind.ATTRIBUTE or " " in self.name or self.name[:1] in set("[{?(")

    def to_json(self) -> dict[str, Any]:
        """What is not left at its default."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != one.default}

    def _in_words(self, where: str, number: str) -> str:
        return _FORMS.get(self.kind, self.kind).format(name=self.name, where=where, number=number)


def attribute(name: str) -> Edge:
    """An attribute, also a module's global; unknown where `setattr` gave it an empty name."""
    return Edge(EdgeKind.ATTRIBUTE, name) if name else UNKNOWN


VALUE, KEY, ITEM, MEMBER, C_FIELD, UNKNOWN = map(
    Edge, (EdgeKind.VALUE, EdgeKind.KEY, EdgeKind.ITEM, EdgeKind.MEMBER, EdgeKind.C_FIELD, EdgeKind.UNKNOWN)
)
# The words of all that have no name.
_PLAIN = {
    Edge(kind).words: kind
    for kind in EdgeKind
    if not any(part in _FORMS.get(kind, "") for part in ("{name}", "{where}"))
}
