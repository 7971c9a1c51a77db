"""All that the code of a process says about one container."""

import dis
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from labserver.diagnosis.holders.functions import Functions, routine_of, scopes
from labserver.diagnosis.holders.handling import ADDING, ANEW, REMOVING, REMOVING_FUNCTIONS, Handling, Place
from labserver.diagnosis.holders.handling_in_bytecode import handling_in_bytecode
from labserver.diagnosis.holders.handling_in_source import handling_in_source
from labserver.diagnosis.holders.in_children import codes_of_children
from labserver.diagnosis.holders.referrers import Referrer, Voice
from labserver.diagnosis.holders.sources import Sources
from labserver.diagnosis.holders.spelling import Spelling, SpellingKind
from labserver.heap.is_a import is_a, of_its_classes

_FOLLOWED = 2  # calls that hand a container on, one from within the other
_DELETES = dis.opmap["DELETE_SUBSCR"]


# Never compared by its fields: that would ask the application's objects what they equal.
@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A piece of code, and what it does with the container.

    Attributes:
        referrer: by whom the code reaches the container.
        place: the code.
        handling: what it does.
    """

    referrer: Referrer
    place: Place
    handling: Handling

    @property
    def name(self) -> str:
        """The name by which others call the code."""
        return self.place.code.co_name


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read about a container.

    Attributes:
        passages: each piece of code that spells the container, or has to do with such.
        seen: whether this is all code that may reach it.
    """

    passages: tuple[Passage, ...]
    seen: bool

    def removing(self) -> list[tuple[Passage, int]]:
        """The code that takes something out, itself or through what it calls, and on which line."""
        names = {one.name for one in self.passages if one.handling.removals}
        while more := {one.name for one in self.passages if not names.isdisjoint(one.handling.calls)} - names:
            names |= more
        found = []
        for one in self.passages:
            lines = [*one.handling.removals, *sorted(at for name, at in one.handling.calls.items() if name in names)]
            if lines:
                found.append((one, lines[0]))
        return found


def read(referrers: Iterable[Referrer], functions: Functions, sources: Sources) -> Reading:
    """Read all code that may reach a container.

    Args:
        referrers: who refers to it.
        functions: of the heap; any of them may get hold of it in a way that no reference shows.
        sources: where the code may be read.
    """
    return _Reader(functions, sources).reading(list(referrers))


class _Reader:
    def __init__(self, functions: Functions, sources: Sources) -> None:
        self._functions = functions
        self._sources = sources
        self._helpers: set[tuple[int, str]] = set()
        self._seen = True

    def reading(self, referrers: list[Referrer]) -> Reading:
        passages: list[Passage] = []
        for referrer in referrers:
            self._seen &= referrer.readable
            if referrer.spelling is not None:
                passages += self._of(referrer, referrer.spelling)
        if any(one.handling.removals for one in passages):
            elsewhere = codes_of_children(self._functions)
            passages = [one for one in passages if id(one.place.routine.code) not in elsewhere]
        return Reading(tuple(passages), self._seen)

    def _of(self, referrer: Referrer, spelling: Spelling) -> list[Passage]:
        """All code that reaches the container through one referrer."""
        places = [place for voice in referrer.voices for place in _places(referrer, spelling, voice)]
        first = list(self._read(referrer, [place for place in places if place.mentions]))
        lengths = frozenset(one.name for one in first if one.handling.tells_length and one.place.own)
        related = frozenset(one.name for one in _with_replacements(first) if one.handling.removals)
        known = [replace(place, lengths=lengths, related=related) for place in places]
        # Also what only calls those, and all methods of the owner, which may keep an account.
        wanted = [place for place in known if place.mentions or (place.own and place.me is not None)]
        found = list(self._read(referrer, wanted))
        found = list(_with_replacements(found))
        for one in found:
            self._seen &= not one.handling.loses_sight
        self._look_at_doubtful(referrer, spelling)
        found += self._given_back(referrer, spelling, found)
        return [*found, *self._handed_on(referrer, found)]

    def _read(self, referrer: Referrer, places: Iterable[Place]) -> Iterator[Passage]:
        for place in places:
            definition = self._sources.definition(place.code)
            if definition is not None:
                yield Passage(referrer, place, handling_in_source(definition, place))
            else:
                inline = next(scopes(place.code))  # a comprehension has a code object of its own up to CPython 3.11
                for code in inline:
                    part = replace(place, code=code)
                    if part.mentions:
                        yield Passage(referrer, part, handling_in_bytecode(part))

    def _given_back(self, referrer: Referrer, spelling: Spelling, found: list[Passage]) -> list[Passage]:
        """What is done with the container by those who get it from a function, or from a property."""
        passages: list[Passage] = []
        for name in {one.name for one in found if one.handling.gives_back and not one.name.startswith("<")}:
            is_property = is_a(of_its_classes(referrer.owner, name), property)
            kind = SpellingKind.ATTRIBUTE if is_property else SpellingKind.RESULT
            through = Spelling(kind, name, spelling.items)
            places = [place for voice in referrer.voices for place in _places(referrer, through, voice)]
            places += [
                place for voice in self._strangers(referrer, name) for place in _places(referrer, through, voice)
            ]
            passages += _with_replacements(self._read(referrer, [place for place in places if place.mentions]))
        self._seen &= not any(one.handling.loses_sight for one in passages)
        return passages

    def _handed_on(self, referrer: Referrer, found: list[Passage]) -> Iterator[Passage]:
        """What functions do with the container that get it as an argument."""
        for deep in range(_FOLLOWED + 1):
            calls = [handed for one in found for handed in one.handling.handed_on if handed.called is not None]
            found = []
            for handed in calls:
                if handed.called is None or (id(handed.called.__code__), handed.parameter) in self._helpers:
                    continue
                if deep == _FOLLOWED:
                    self._seen = False
                    return
                self._helpers.add((id(handed.called.__code__), handed.parameter))
                spelling = Spelling(SpellingKind.LOCAL, handed.parameter)
                places = _places(referrer, spelling, Voice(routine_of(handed.called), own=False))
                found += _with_replacements(self._read(referrer, [place for place in places if place.mentions]))
            for one in found:
                self._seen &= not one.handling.loses_sight
            yield from found

    def _look_at_doubtful(self, referrer: Referrer, spelling: Spelling) -> None:
        """Whether other code takes something out of what goes by the same name: then nobody knows."""
        if spelling.kind not in {SpellingKind.ATTRIBUTE, SpellingKind.GLOBAL}:
            return
        for voice in self._strangers(referrer, spelling.name):
            for one in _places(referrer, spelling, voice):
                place = replace(one, doubtful=True)
                if place.mentions and _may_change(place.code):
                    self._seen &= not any(
                        found.handling.removals or found.handling.replacements
                        for found in self._read(referrer, [place])
                    )

    def _strangers(self, referrer: Referrer, name: str) -> Iterator[Voice]:
        """The application's code that spells a name and may mean anything by it."""
        own = {id(voice.routine.code) for voice in referrer.voices if voice.own}
        if referrer.spelling is not None and referrer.spelling.kind is SpellingKind.ATTRIBUTE:
            own = {id(voice.routine.code) for voice in referrer.voices}
        for function in self._functions.of_application(name):
            if id(function.__code__) not in own:
                yield Voice(routine_of(function), own=False)


def _with_replacements(passages: Iterable[Passage]) -> Iterator[Passage]:
    """The same, where what replaces the container counts as a removal, but for what gives it its first value."""
    found = list(passages)
    anew = {name for one in found if one.name in ANEW for name in one.handling.calls}
    for one in found:
        handling = one.handling
        if handling.replacements and one.name not in anew:
            removals = tuple(sorted({*handling.removals, *handling.replacements}))
            yield replace(one, handling=replace(handling, removals=removals))
        else:
            yield one


def _places(referrer: Referrer, spelling: Spelling, voice: Voice) -> Iterator[Place]:
    """A function's code and that of the functions within it."""
    for codes in scopes(voice.routine.code):
        yield Place(codes[0], voice.routine, referrer.owner, spelling, voice.me, voice.own)


def _may_change(code: types.CodeType) -> bool:
    """Whether a function has what it takes to take something out of a container."""
    return not (REMOVING | REMOVING_FUNCTIONS | ADDING).isdisjoint(code.co_names) or _DELETES in code.co_code[::2]
