"""One finding: a figure, or a claim with what it was held against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from labserver.suite.bound import Bound, Kind, Phrase
from labserver.text import number

Value = float | int | str | bool | None

_AS_THEY_ARE = ("name", "notebook", "value", "unit", "low", "high", "holds", "evidence", "text", "undecided")
_UNDECIDED = ", which is undecided: the interval lies on both sides of the bound"


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure: ``value`` in ``unit``, its interval from ``low`` to ``high``, the ``bound`` it was held against.

    ``evidence`` lists files relative to the run directory; ``text`` is an optional sentence for the reader;
    ``undecided`` says that the claim fails because the interval is too wide, and not because it is refuted;
    ``phrases`` has the forms of ``value`` and ``unit`` where these are sentences with arguments.
    """

    name: str
    notebook: str
    value: Value
    unit: str
    low: float | None
    high: float | None
    bound: Bound | None
    holds: bool
    evidence: list[str]
    text: str
    undecided: bool = False
    phrases: Mapping[str, Phrase] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """How others quote it: the notebook's number and the name, such as `02.leak_bytes_per_job`."""
        return f"{self.notebook[:2]}.{self.name}"

    @property
    def is_claim(self) -> bool:
        """Whether it claims something: one without a bound does not, but one that fails is never passed over."""
        return self.bound is not None or not self.holds

    def number(self) -> str:
        """The value for people, without its unit."""
        return self._text(self.value) if isinstance(self.value, int | float) else str(self.value)

    def ends(self) -> tuple[str, str] | None:
        """The ends of the interval for people, if there is one."""
        if self.low is None or self.high is None:
            return None
        return self._text(self.low), self._text(self.high)

    def interval(self) -> str:
        """The interval as `low to high`, or nothing."""
        return " to ".join(self.ends() or ())

    def sentence(self) -> str:
        """The claim in one line: name, value, interval, unit and bound."""
        interval = f" ({self.interval()})" if self.ends() else ""
        unit = f" {self.unit}" if self.unit else ""
        bound = f", claimed: {self.bound}" if self.bound else ""
        return f"{self.name} = {self.number()}{interval}{unit}{bound}{_UNDECIDED if self.undecided else ''}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.sentence())}</p>"

    def as_json(self) -> dict[str, Any]:
        """The finding as `findings.json` keeps it: sentences for readers, and beside them what they are made of."""
        return {
            **{key: getattr(self, key) for key in _AS_THEY_ARE},
            "bound": str(self.bound or ""),
            "limits": self.bound.as_json() if self.bound else None,
            "phrases": {key: phrase.as_json() for key, phrase in self.phrases.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Finding":
        """The finding that `as_json` gave; of one that an older version wrote, the bound is but a sentence."""
        plain = dict(document)
        limits, sentence = plain.pop("limits", None), plain.pop("bound")
        phrases = {key: Phrase.from_json(phrase) for key, phrase in plain.pop("phrases", {}).items()}
        said = Bound(Kind.SAYS, why=Phrase.of_text(sentence)) if sentence else None
        return cls(**plain, bound=Bound.from_json(limits) if limits else said, phrases=phrases)

    def _text(self, value: float) -> str:
        # Held against a percentage, it is written as one.
        return number(value, percent=self.bound is not None and self.bound.percent)
