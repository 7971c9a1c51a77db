"""What an experiment measured, as a notebook displays it: name by name, with numbers that people can read."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from labserver.text import number

_HEAD = "text-align: left; font-weight: normal"
_LIST = 4
"""So many values are shown; of more, how many there are."""


class Measured:
    """A dataclass of measurements; `_repr_html_` shows its fields and what it makes of them."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        rows = "".join(_row(name, text) for name, text in self._figures())
        return f"<table><caption>{escape(type(self).__name__)}</caption><tbody>{rows}</tbody></table>"

    def _figures(self) -> Iterator[tuple[str, str]]:
        fields = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        made = [name for name, value in vars(type(self)).items() if isinstance(value, property) and name[0] != "_"]
        for name in [*fields, *made]:
            yield name, in_words(getattr(self, name))


def in_words(value: Any) -> str:
    """A value of a field: a number, a text, or what a collection has."""
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, int | float | np.number):
        return number(value.item() if isinstance(value, np.number) else value)
    if isinstance(value, Mapping):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _sequence(value)
    unsaid = dataclasses.is_dataclass(value) and type(value).__str__ is object.__str__
    return "—" if value is None else type(value).__name__ if unsaid else str(value)


def _row(name: str, text: str) -> str:
    head = f'<th scope="row" style="{_HEAD}">{escape(name)}</th>'
    return f'<tr>{head}<td style="text-align: left">{escape(text)}</td></tr>'


def _array(values: Any) -> str:
    what = f"{' × '.join(map(str, values.shape))} numbers"
    return f"{what}, {in_words(values.min())} to {in_words(values.max())}" if values.size else what


def _sequence(values: Sequence[Any]) -> str:
    if len(values) <= _LIST and not any(map(dataclasses.is_dataclass, values)):
        return ", ".join(map(in_words, values)) or "none"
    return f"{len(values)} × {type(values[0]).__name__}"
