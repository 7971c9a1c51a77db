"""Text made fit to be shown: what others wrote, and numbers."""

import re

_UNIT = re.compile(r"(?<=\d) (?=(?:%|B|kB|KiB|MB|MiB|GiB|ms|s|min|B/job)(?![A-Za-z0-9%/]))")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# XML 1.0 has no way to write these, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def harmless(text: str) -> str:
    """The text without colours, and with � for each other character that a terminal obeys rather than shows."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else " " if char.isspace() else "�"
        for char in _COLOUR.sub("", text.replace("\r\n", "\n"))
    )


def one_line(text: str) -> str:
    """The same as part of a sentence."""
    return " ".join(harmless(text).split())


def clean(text: str) -> str:
    """The text without what XML cannot hold and without colours."""
    return _FORBIDDEN.sub("", _COLOUR.sub("", text))


def bound_units(text: str) -> str:
    """The text with each number and its unit on one line."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", text)


def formatted(value: float | str, spec: str = "") -> str:
    """A number as people read it: `99 %`, `−3`, and no minus where it rounds to zero. Texts are taken as they are."""
    if isinstance(value, str):
        return value
    signed = spec.startswith("+")
    # Only the format of floats knows the option `z`.
    text = format(value, spec) if isinstance(value, int) else format(value, f"{'+' * signed}z{spec.removeprefix('+')}")
    minus = "\N{MINUS SIGN}" if text.startswith("-") else ""
    return (minus + text.removeprefix("-")).replace("%", " %")


def number(value: float, *, percent: bool = False) -> str:
    """A number with as many digits as say something: whole from 1000 on, else four; of a share, two after the point."""
    if isinstance(value, bool):
        return str(value)
    if percent:
        return formatted(float(value), ".0%" if round(value, 2) == value else ".2%")
    return formatted(value, ",.0f" if isinstance(value, int) or abs(value) >= 1000 else ".4g")
