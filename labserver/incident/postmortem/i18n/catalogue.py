"""The write-up's words in English and Korean, side by side in one catalogue of TOML tables."""

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

from labserver.errors import UsageError
from labserver.suite.bound import Phrase

LANGUAGES = ("en", "ko")
_FOLDER = Path(__file__).parent
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


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
        self._forms = {form: texts[language] for form, texts in forms().items()}
        self._labels = {form: texts[language] for form, texts in figure_labels().items()}

    def message(self, key: str) -> Message:
        """The message with this key, such as `cause.holder`."""
        entry = self._messages[key]
        return Message(entry[self.language], tuple(entry.get("rests_on", ())))

    def number(self, text: str) -> str:
        """A formatted number as the language writes it."""
        return text.replace(" %", "%") if self.language == "ko" else text

    def word(self, text: str) -> str | None:
        """A value or a unit that is a word, in this language; None where the catalogue does not know it."""
        return self._forms.get(text)

    def phrase(self, phrase: Phrase) -> str | None:
        """A sentence in this language, looked up by its form; None where only its English is known."""
        translation = self._forms.get(phrase.form)
        if translation is None:
            return str(phrase) if self.language == "en" else None
        return phrase.put_into(translation, self.number)

    def finding(self, reference: str) -> str | None:
        """What a finding is, in words, by its reference; None where the catalogue does not know it."""
        notebook, _, name = reference.partition(".")
        names = {_PLACEHOLDER.sub("{}", form): texts for form, texts in finding_names().get(notebook, {}).items()}
        for form, part in _forms_of(name):
            if form in names:
                return _PLACEHOLDER.sub(part, names[form][self.language])
        return None

    def label(self, phrase: Phrase) -> str | None:
        """A line of text in a figure, in this language, looked up by its form; None where it is not known."""
        translation = self._labels.get(phrase.form)
        return None if translation is None else phrase.put_into(translation, self.number)


def messages() -> dict[str, dict[str, Any]]:
    """Every message by its dotted key, with a text for each language."""
    return dict(_flat("", _load("writeup")))


@functools.cache
def forms() -> dict[str, dict[str, str]]:
    """Every form of a bound, a value or a unit, with its text for each language."""
    return _by_language(_load("findings")["form"])


def finding_names() -> dict[str, dict[str, dict[str, str]]]:
    """What each finding is, in words, by notebook number and (form of a) name."""
    found: dict[str, dict[str, dict[str, str]]] = _load("findings")["name"]
    return found


@functools.cache
def figure_labels() -> dict[str, dict[str, str]]:
    """Every form of a line of text in a figure, with its text for each language."""
    return _by_language(_load("figures")["label"])


def _forms_of(name: str) -> Iterator[tuple[str, str]]:
    """An identifier itself, then with `{}` in place of ever longer parts of it, each with the part."""
    words = name.split("_")
    yield name, ""
    for length in range(1, len(words)):
        for start in range(len(words) - length + 1):
            end = start + length
            yield "_".join([*words[:start], "{}", *words[end:]]), "_".join(words[start:end])


def _by_language(entries: Mapping[str, str | dict[str, str]]) -> dict[str, dict[str, str]]:
    return {
        form: {"en": _without_formats(form), "ko": entry} if isinstance(entry, str) else entry
        for form, entry in entries.items()
    }


def _without_formats(form: str) -> str:
    return "".join(
        literal + (f"{{{name}}}" if name is not None else "") for literal, name, _, _ in Formatter().parse(form)
    )


@functools.cache
def _load(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _flat(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in table.items():
        if "en" in entry:
            yield f"{prefix}{name}", entry
        else:
            yield from _flat(f"{prefix}{name}.", entry)
