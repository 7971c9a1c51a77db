"""The catalogue of hints, which is data: `hints.toml` beside this module says what fits which holder."""

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any, Self

from labserver.heap.chain import Link

_ARROW = " → "
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an object is: `Signal`, or, of one package only, `blinker:Signal`; an asterisk stands for any text.

    Attributes:
        package: the first part of the name of the module that the type is from; empty for any.
        name: the type's, or that of one of its bases; where names count, also a module's, a class's or a function's.
    """

    package: str
    name: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Read it as it is spelt."""
        package, colon, name = text.rpartition(":")
        return cls(package if colon else "", name)

    def fits(self, link: Link, *, by_name: bool = False) -> bool:
        """Whether an object is so."""
        return self.fits_type(link.type, link.bases) or (by_name and not self.package and _like(self.name, link.name))

    def fits_type(self, kind: str, bases: Sequence[str]) -> bool:
        """Whether a type is so, or one that it derives from.

        Args:
            kind: its name.
            bases: its full name, and theirs.
        """
        own = [base for base in bases if base.startswith(f"{self.package}.")] if self.package else [kind, *bases]
        return any(_like(self.name, base.rpartition(".")[2]) for base in own)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A part of a chain: `Logger → handlers`, or `traceback` alone.

    Attributes:
        begins: the object that it begins with.
        edges: the references that follow, in the words that a chain has for them.
    """

    begins: Beginning
    edges: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Read it as it is spelt."""
        begins, *edges = text.split(_ARROW)
        return cls(Beginning.of(begins), tuple(edges))

    def is_in(self, chain: Sequence[Link], *, by_name: bool) -> bool:
        """Whether it fits anywhere in a chain.

        Args:
            chain: the root first.
            by_name: whether the first object may also be a module, a class or a function of that name.
        """
        return any(True for _ in self._begins(chain, by_name=by_name))

    def end_in(self, way: Sequence[Link]) -> int:
        """The last object of a way that it leads to, -1 where it fits nowhere; classes and modules count by name.

        Where an object of somebody else's stands between that and the end of the way, the end is a matter of that
        object: what a function calls `registry` may be anything.
        """
        size = len(self.edges)
        ends = [
            first + size
            for first in self._begins(way, by_name=True)
            if not size or all(_is_of_the_same(way[first], link) for link in way[first + size : -1])
        ]
        return max(ends, default=-1)

    def _begins(self, chain: Sequence[Link], *, by_name: bool) -> Iterator[int]:
        starts = range(len(chain) - len(self.edges))
        return (first for first in starts if self._begins_at(chain[first:], by_name=by_name))

    def _begins_at(self, chain: Sequence[Link], *, by_name: bool) -> bool:
        owner, *rest = chain
        same = (_like(edge, link.words) for edge, link in zip(self.edges, rest, strict=False))
        return self.begins.fits(owner, by_name=by_name) and all(same)


def _read_as(read: Callable[[str], object]) -> Any:
    """A list of patterns, which is read when the entry is."""
    return field(default=(), metadata={"read": read})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One hint of the catalogue.

    Attributes:
        name: of its own.
        holder: types that the holder is of, or derives from.
        chain: parts of the way to the holder: the place is known, whatever its type.
        item: parts of the way below it: what is kept, whatever keeps it.
        finding: kinds of findings.
        what: what it is; empty where the finding has said it.
        fix: what is usually done about it.
        title: of the documentation or the report that says more; None where there is none.
        known_leak_of: the library of which it is a known leak.
        finds: a chain that it fits, for its test.
        leaves: one that it must not fit.
    """

    name: str
    holder: tuple[Beginning, ...] = _read_as(Beginning.of)
    chain: tuple[Pattern, ...] = _read_as(Pattern.of)
    item: tuple[Pattern, ...] = _read_as(Pattern.of)
    finding: tuple[str, ...] = _read_as(str)
    what: str = ""
    fix: str
    title: str | None = None
    known_leak_of: str | None = None
    finds: str = ""
    leaves: str = ""

    @classmethod
    def of(cls, table: dict[str, Any]) -> Self:
        """Read it.

        Raises:
            TypeError: a key is missing, or is none of these.
        """
        readers = {one.name: one.metadata["read"] for one in fields(cls) if one.name in table and one.metadata}
        return cls(**table | {name: tuple(map(read, table[name])) for name, read in readers.items()})

    @property
    def text(self) -> str:
        """The hint in one sentence."""
        return f"{self.what}: {self.fix}" if self.what else self.fix

    def place_in(self, chain: Sequence[Link], holder_at: int | None) -> int:
        """Which of the links up to the holder it is about, the nearest; -1 where it is about none.

        Args:
            chain: the root first.
            holder_at: which of its links the holder is; None where nobody told.
        """
        way = chain if holder_at is None else chain[: holder_at + 1]
        return max((one.end_in(way) for one in self.chain), default=-1)

    def is_of_items(self, chain: Sequence[Link], holder_at: int | None) -> bool:
        """Whether it is about what the holder keeps; see `place_in`."""
        below = chain[1 if holder_at is None else holder_at + 1 :]
        return any(one.is_in(below, by_name=False) for one in self.item)

    def is_of_type(self, kind: str, bases: Sequence[str]) -> bool:
        """Whether it is about holders of a type; see `Beginning.fits_type`."""
        return any(one.fits_type(kind, bases) for one in self.holder)


@dataclass(frozen=True, slots=True)
class HintCatalogue:
    """All entries, the special before the general.

    Attributes:
        entries: of these, the first that fits is given.
        beyond: what is said of a holder that has outgrown its `bound`.
        filling: what is said of one that has not.
    """

    entries: tuple[Entry, ...]
    beyond: str
    filling: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Read it from TOML."""
        tables = tomllib.loads(text)
        return cls(tuple(map(Entry.of, tables["hint"])), **tables["bound"])

    def of_place(self, chain: Sequence[Link], holder_at: int | None) -> Entry | None:
        """The entry about where a holder hangs; of several that of the place nearest to it. See `Entry.place_in`."""
        nearest = max(self.entries, key=lambda one: one.place_in(chain, holder_at))
        return nearest if nearest.place_in(chain, holder_at) >= 0 else None

    def of_items(self, chain: Sequence[Link], holder_at: int | None) -> Entry | None:
        """The entry about what a holder keeps."""
        return next((one for one in self.entries if one.is_of_items(chain, holder_at)), None)

    def of_type(self, kind: str, bases: Sequence[str]) -> Entry:
        """The entry about holders of a type, or of the nearest of its bases that there is one for.

        Args:
            kind: the type's name.
            bases: its full name, and those of the types that it derives from, the nearest first.
        """
        # The last entry fits every type, and is only for those that no base of theirs says more of.
        *known, otherwise = [one for one in self.entries if one.holder]
        nearest = [(kind, bases[:1]), *((base.rpartition(".")[2], (base,)) for base in bases[1:])]
        fitting = (one for name, own in nearest for one in known if one.is_of_type(name, own))
        return next(fitting, otherwise)

    def of_finding(self, kind: str) -> Entry | None:
        """The entry about a kind of finding."""
        return next((one for one in self.entries if kind in one.finding), None)


def _is_of_the_same(owner: Link, link: Link) -> bool:
    """Whether an object is of the package that another one is of, or the interpreter brings its type along."""
    return not link.bases or link.bases[0].partition(".")[0] == _package_of(owner)


def _package_of(link: Link) -> str:
    return (link.bases[0] if link.bases else link.name).partition(".")[0]


@cache
def hint_catalogue() -> HintCatalogue:
    """The catalogue that comes with this package."""
    return HintCatalogue.of(files(__package__).joinpath("hints.toml").read_text(encoding="utf-8"))


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split(_ANY))), re.DOTALL)


def _like(pattern: str, text: str) -> bool:
    return _expression(pattern).fullmatch(text) is not None
