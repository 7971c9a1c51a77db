"""What a check tells about its own measuring, as typed values; `sentences` makes the words where they are shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was found, with its figures and names.

    Attributes:
        kind: which fact; every kind has a form of words in `sentences`.
        arguments: the figures and names that the form asks for.
    """

    kind: StrEnum
    arguments: Mapping[str, str | float] = field(default_factory=dict)


class Reason(Fact):
    """Why a verdict is inconclusive."""

    __slots__ = ()


class Note(Fact):
    """What should be known beside a verdict."""

    __slots__ = ()


class ReasonKind(StrEnum):
    """The reasons, each with the arguments it has."""

    NO_SLOPE = "no-slope"
    """Fewer than three floors: `floors`."""
    FEW_FLOORS = "few-floors"
    """`floors`, where `least` are needed."""
    FEW_JOBS = "few-jobs"
    SPANS_TOLERANCE = "spans-tolerance"
    NEAR_TOLERANCE = "near-tolerance"
    COMES_BACK = "comes-back"
    MAY_BE_NONE = "may-be-none"
    COUNTED_BUT_MAY_BE_NONE = "counted-but-may-be-none"
    """What a holder gained: `path`, `items`, `jobs`."""
    MAY_BE_A_CACHE = "may-be-a-cache"
    SLOWS_DOWN = "slows-down"
    FILLS = "fills"
    NOT_FULL = "not-full"
    """The holder's `path`, and the `bound` that there was no time to fill."""
    NOT_COUNTED = "not-counted"
    FEW_LARGE_ITEMS = "few-large-items"
    MAPPED_GROWS = "mapped-grows"
    EXPIRES = "expires"
    """Memory falls without load within `seconds`."""


class NoteKind(StrEnum):
    """The notes of a decision, each with the arguments it has."""

    FEW_JOBS = "few-jobs"
    FEW_ITEMS = "few-items"
    FOUND_BY_COUNTING = "found-by-counting"
    """The holder's `path`, and its `items` in so many `jobs`."""
    GAINED = "gained"
    """The same, and `item_bytes`, an item's mean size."""
    MAPPED_GROWS = "mapped-grows"
