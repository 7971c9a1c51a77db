"""How a piece of code spells a container that it may reach."""

from dataclasses import dataclass
from enum import Enum, auto


class SpellingKind(Enum):
    """What the name is of."""

    GLOBAL = auto()  # of a module: `CACHE`, elsewhere `cache.CACHE`
    ATTRIBUTE = auto()  # of an object: `self._entries`, `cache._entries`
    LOCAL = auto()  # a variable of the function's own, or of one around it
    RESULT = auto()  # what a function gives back: `entries()`, `cache.entries()`
    OWN = auto()  # none: it is the object that the method belongs to, `self`


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name, and how far below it the container is.

    Attributes:
        kind: what the name is of.
        name: as the compiler has it; empty for the object itself.
        items: subscripts between the two: 1 in `STORES["pages"]`.
    """

    kind: SpellingKind
    name: str = ""
    items: int = 0
