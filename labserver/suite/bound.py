"""What a figure is held against: a typed bound, and the words that say why it lies where it does."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from string import Formatter
from typing import Any

from labserver.errors import UsageError
from labserver.stats.interval import Interval
from labserver.text import formatted, number

Argument = float | int | str
"""What stands for a placeholder: a number, or a short text such as a name."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence's form in English, and what stands for its placeholders.

    The form is the catalogue's key, as gettext's msgid is; a placeholder may say how to format its number
    (``{most:.3g}``). A translation has the same placeholders without a format.

    Raises:
        UsageError: an argument is missing, not used, or no finite number.
    """

    form: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", {name: _plain(value) for name, value in self.arguments.items()})
        named = {name for _, name, _, _ in Formatter().parse(self.form) if name is not None}
        if named != self.arguments.keys():
            raise UsageError(f"'{self.form}' names {sorted(named)}, and is given {sorted(self.arguments)}.")

    @classmethod
    def of_text(cls, text: str) -> "Phrase":
        """A finished sentence, whose braces are letters like others."""
        return cls(text.replace("{", "{{").replace("}", "}}"))

    def __str__(self) -> str:
        """Give the English sentence."""
        return "".join(
            literal + (formatted(self.arguments[name], spec or "") if name is not None else "")
            for literal, name, spec, _ in Formatter().parse(self.form)
        )

    def put_into(self, translation: str, written: Callable[[str], str] = str) -> str:
        """The sentence in another language: each argument formatted as the form says, ``written`` as its readers do."""
        texts = {
            name: written(formatted(self.arguments[name], spec or ""))
            for _, name, spec, _ in Formatter().parse(self.form)
            if name is not None
        }
        return translation.format_map(texts)

    def as_json(self) -> dict[str, Any]:
        """The phrase as JSON keeps it."""
        return {"form": self.form, "arguments": dict(self.arguments)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Phrase":
        """The phrase that `as_json` gave."""
        return cls(document["form"], document["arguments"])


class Kind(StrEnum):
    """How a bound decides."""

    AT_MOST = "at-most"
    AT_LEAST = "at-least"
    ABOVE = "above"
    BELOW = "below"
    BETWEEN = "between"
    WITHIN = "within"
    EXACTLY = "exactly"
    SAYS = "says"


HEADS = {
    Kind.AT_MOST: "at most {high}",
    Kind.AT_LEAST: "at least {low}",
    Kind.ABOVE: "above {low}",
    Kind.BELOW: "below {high}",
    Kind.BETWEEN: "from {low} to {high}",
    Kind.WITHIN: "within {share} of {of}",
    Kind.EXACTLY: "exactly {high}",
}
"""The form of each kind that decides; the reason follows after a colon."""
AROUND_ZERO = "within ±{high}"
COVERING = ", covering {covers}"
_SIDES = ("low", "high", "percent", "covers")


@dataclass(frozen=True, slots=True)
class Bound:
    """What a value must be, made by the functions below; `str` gives the English sentence.

    ``why`` says where the bound comes from, or, of the kind `says`, is the whole claim. ``percent`` says that bound
    and value are shares that people read as percentages. ``covers`` is a value that an interval must cover, too.
    """

    kind: Kind
    low: float | None = None
    high: float | None = None
    why: Phrase | None = None
    percent: bool = False
    covers: float | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high", "covers"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else _plain(value))

    def holds(self, value: float | str | Interval | None) -> bool:
        """Whether a value keeps to the bound, or the whole interval lies inside of it; what is not there does not.

        Raises:
            UsageError: the bound is made of words, or the value is none that it can decide.
        """
        if self.kind is Kind.SAYS:
            raise UsageError(f"Words decide nothing: record whether '{self}' holds.")
        if value is None:
            return False
        if isinstance(value, Interval):
            return bool(self._covered(value) and self._low < value.low and value.high < self._high)
        if isinstance(value, str) or self.covers is not None:
            raise UsageError(f"'{value}' cannot be held against '{self}'.")
        if self.kind is Kind.ABOVE:
            return bool(self._low < value)
        if self.kind is Kind.BELOW:
            return bool(value < self._high)
        return bool(self._low <= value <= self._high)

    def undecided(self, interval: Interval) -> bool:
        """Whether the interval neither keeps to the bound nor refutes it: it is too wide."""
        reaches_in = self._low < interval.high and interval.low < self._high
        return bool(self._covered(interval) and reaches_in and not self.holds(interval))

    def phrases(self) -> tuple[Phrase, ...]:
        """The sentence in its parts: what decides, then why."""
        parts = (self._head(), self.why)
        return tuple(part for part in parts if part is not None)

    def __str__(self) -> str:
        """Give the English sentence, such as `at most 336: half the median of the synchronous service`."""
        return ": ".join(map(str, self.phrases()))

    def as_json(self) -> dict[str, Any]:
        """The bound as JSON keeps it."""
        why = self.why.as_json() if self.why else {"form": None, "arguments": {}}
        return {"kind": str(self.kind), **{key: getattr(self, key) for key in _SIDES}, **why}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Bound":
        """The bound that `as_json` gave."""
        why = None if document["form"] is None else Phrase.from_json(document)
        return cls(Kind(document["kind"]), why=why, **{key: document[key] for key in _SIDES})

    @property
    def _low(self) -> float:
        return -math.inf if self.low is None else self.low

    @property
    def _high(self) -> float:
        return math.inf if self.high is None else self.high

    def _covered(self, interval: Interval) -> bool:
        return self.covers is None or self.covers in interval

    def _head(self) -> Phrase | None:
        if self.kind is Kind.SAYS:
            return None
        form = AROUND_ZERO if self.kind is Kind.BETWEEN and self._low == -self._high else HEADS[self.kind]
        form += COVERING if self.covers is not None else ""
        values = {"low": self.low, "high": self.high, "covers": self.covers}
        texts = {name: self._text(value) for name, value in values.items() if value is not None}
        if self.kind is Kind.WITHIN:
            middle = (self._low + self._high) / 2
            texts |= {"share": formatted((self._high - middle) / abs(middle), ".0%"), "of": self._text(middle)}
        return Phrase(form, {name: text for name, text in texts.items() if f"{{{name}}}" in form})

    def _text(self, value: float) -> str:
        return number(value, percent=self.percent)


def at_most(high: float, why: str = "", /, *, percent: bool = False, **arguments: Argument) -> Bound:
    """The value is ``high`` or less, because of ``why``, a form whose placeholders the arguments fill."""
    return Bound(Kind.AT_MOST, None, high, _why(why, arguments), percent)


def at_least(low: float, why: str = "", /, *, percent: bool = False, **arguments: Argument) -> Bound:
    """The value is ``low`` or more."""
    return Bound(Kind.AT_LEAST, low, None, _why(why, arguments), percent)


def above(low: float, why: str = "", /, *, percent: bool = False, **arguments: Argument) -> Bound:
    """The value is more than ``low``."""
    return Bound(Kind.ABOVE, low, None, _why(why, arguments), percent)


def below(high: float, why: str = "", /, *, percent: bool = False, **arguments: Argument) -> Bound:
    """The value is less than ``high``."""
    return Bound(Kind.BELOW, None, high, _why(why, arguments), percent)


def between(
    low: float,
    high: float,
    why: str = "",
    /,
    *,
    covers: float | None = None,
    percent: bool = False,
    **arguments: Argument,
) -> Bound:
    """The value is from ``low`` to ``high``; an interval lies between them and, if asked, covers a value, too."""
    return Bound(Kind.BETWEEN, low, high, _why(why, arguments), percent, covers)


def within(share: float, of: float, why: str = "", /, **arguments: Argument) -> Bound:
    """The value differs from ``of`` by that share of it at most; 0.25 is a quarter."""
    low, high = sorted(((1 - share) * of, (1 + share) * of))
    return Bound(Kind.WITHIN, low, high, _why(why, arguments))


def exactly(value: float, why: str = "", /, *, percent: bool = False, **arguments: Argument) -> Bound:
    """The value is this number and no other."""
    return Bound(Kind.EXACTLY, value, value, _why(why, arguments), percent)


def says(form: str, /, **arguments: Argument) -> Bound:
    """A claim in words, such as `every finished job`: who records it says whether it holds."""
    return Bound(Kind.SAYS, why=Phrase(form, arguments))


def _why(form: str, arguments: Mapping[str, Argument]) -> Phrase | None:
    return Phrase(form, arguments) if form or arguments else None


def _plain(value: Any) -> Any:
    """An argument that JSON keeps: NumPy's scalars as Python's, no NaN and no infinity."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and not math.isfinite(plain):
        raise UsageError(f"A bound is {plain}, and only finite numbers are bounds.")
    return plain
