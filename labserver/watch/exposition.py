"""Prometheus' text format, as far as reading values takes.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/. Not prometheus_client's parser: the core does
without that package, and one bad line must not cost the whole page. The tests hold the two against each other.
"""

import re
from typing import NamedTuple

_LABEL = r'[a-zA-Z_]\w*\s*=\s*"(?:[^"\\]|\\.)*"\s*'
_SAMPLE = re.compile(
    rf"(?P<name>[a-zA-Z_:][\w:]*)(?:\s*\{{\s*(?P<labels>(?:{_LABEL}(?:,\s*)?)*)\}}\s*|\s+)(?P<value>\S+)(?:\s.*)?"
)
_PAIR = re.compile(r'([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


class Value(NamedTuple):
    """One line of the page."""

    name: str
    labels: dict[str, str]
    value: float


def parse(text: str) -> list[Value]:
    """The values on a page, in its order; lines that are none are passed over."""
    return [value for line in text.splitlines() if (value := _value(line.strip())) is not None]


def total(values: list[Value], name: str, **labels: str) -> float | None:
    """The sum of a metric's values with these labels; None where it has none."""
    found = [item.value for item in values if item.name == name and labels.items() <= item.labels.items()]
    return sum(found) if found else None


def _value(line: str) -> Value | None:
    found = None if line.startswith("#") else _SAMPLE.fullmatch(line)
    if found is None:
        return None
    labels = {name: _ESCAPE.sub(_unescaped, text) for name, text in _PAIR.findall(found["labels"] or "")}
    try:
        return Value(found["name"], labels, float(found["value"]))
    except ValueError:
        return None


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape[1] == "n" else escape[1]
