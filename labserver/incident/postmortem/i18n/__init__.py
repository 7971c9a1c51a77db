"""The write-up's words in English and Korean, side by side in one catalogue of TOML tables."""

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labserver.errors import UsageError

LANGUAGES = ("en", "ko")
_FOLDER = Path(__file__).parent
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_MINUS = re.compile(r"(?<![\w)])-(?=\d)")


@dataclass(frozen=True, slots=True)
class Message:
    """A text of the catalogue, and the findings that it may only be said with (besides those that it quotes)."""

    text: str
    rests_on: tuple[str, ...] = ()


class Catalogue:
    """The words of one language.

    Args:
        language: one of `LANGUAGES`.

    Raises:
        UsageError: there is no such language.
    """

    def __init__(self, language: str = "en") -> None:
        if language not in LANGUAGES:
            raise UsageError(f"There is no language '{language}': choose from {', '.join(LANGUAGES)}.")
        self.language = language
        self._messages = messages()
        self._bounds = self._patterns("bound")
        self._values = self._patterns("value")
        self._units = self._patterns("unit")
        self._labels = self._patterns("label")
        self._names = {
            notebook: tuple(Pattern(name, entry[language]) for name, entry in names.items())
            for notebook, names in finding_names().items()
        }

    def message(self, key: str) -> Message:
        """The message with this key, such as `cause.holder`."""
        entry = self._messages[key]
        return Message(entry[self.language], tuple(entry.get("rests_on", ())))

    def number(self, text: str) -> str:
        """A formatted number as the language writes it."""
        text = _MINUS.sub("\N{MINUS SIGN}", text)
        return text if self.language == "ko" else re.sub(r"(?<=\d)%", " %", text)

    def value(self, text: str) -> str | None:
        """A finding that is a word or a truth value, in this language; None where it is something else."""
        return _first(self._values, text)

    def unit(self, text: str) -> str:
        """A unit that has a word in it, in this language; the others are the same in all."""
        return _first(self._units, text) or text

    def label(self, text: str) -> str | None:
        """A line of text in a figure, in this language; None where the catalogue does not know it."""
        return _first(self._labels, text)

    def bound(self, text: str) -> str | None:
        """What a finding was held against, in this language; None where the catalogue does not know it."""
        return _first(self._bounds, text) if text else ""

    def finding(self, notebook: str, name: str) -> str | None:
        """What a finding is, in words, by the notebook's number; None where the catalogue does not know it."""
        return _first(self._names.get(notebook, ()), name)

    def _patterns(self, kind: str) -> tuple["Pattern", ...]:
        return tuple(Pattern(entry.get("is", entry["en"]), entry[self.language]) for entry in phrases(kind))


class Pattern:
    """A text with `{placeholders}` and its translation: what stands for them in a text is put into the translation."""

    def __init__(self, source: str, translation: str) -> None:
        parts = _PLACEHOLDER.split(source)
        # Odd parts are the placeholders' names.
        self._regex = re.compile(
            "".join(f"(?P<{part}>\\S+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.DOTALL
        )
        self._translation = translation

    def translate(self, text: str) -> str | None:
        """The translation of a text that the pattern fits; None where it does not."""
        match = self._regex.fullmatch(text)
        return _PLACEHOLDER.sub(lambda found: match[found[1]], self._translation) if match else None


def _first(patterns: Iterable[Pattern], text: str) -> str | None:
    return next((found for pattern in patterns if (found := pattern.translate(text)) is not None), None)


def messages() -> dict[str, dict[str, Any]]:
    """Every message by its dotted key, with a text for each language."""
    return dict(_flat("", _load("writeup")))


def phrases(kind: str) -> list[dict[str, str]]:
    """What the notebooks say of their findings: the pattern of what `is` recorded, and its text for each language.

    Args:
        kind: `bound` (what a finding was held against), `value` or `unit`; `label` is a line of text in a figure.
    """
    found: list[dict[str, str]] = _load("figures" if kind == "label" else "findings")[kind]
    return found


def finding_names() -> dict[str, dict[str, dict[str, str]]]:
    """What each finding is, in words, by notebook number and (pattern of a) name."""
    found: dict[str, dict[str, dict[str, str]]] = _load("findings")["name"]
    return found


@functools.cache
def _load(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _flat(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in table.items():
        if "en" in entry:
            yield f"{prefix}{name}", entry
        else:
            yield from _flat(f"{prefix}{name}.", entry)
