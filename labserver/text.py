"""Text that others wrote, made fit to be shown."""

import re

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
