"""Text that others wrote, made fit to be shown."""

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def harmless(text: str) -> str:
    """The text without colours, and with � for each other character that a terminal obeys rather than shows."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else " " if char.isspace() else "�"
        for char in _COLOUR.sub("", text.replace("\r\n", "\n"))
    )


def one_line(text: str) -> str:
    """The same as part of a sentence."""
    return " ".join(harmless(text).split())
