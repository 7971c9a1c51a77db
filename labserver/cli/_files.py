"""The files that commands leave, or standard output in their place."""

from collections.abc import Callable
from pathlib import Path

from labserver.cli import say
from labserver.files import STDOUT, leave


def write(file: Path | None, text: Callable[[], str]) -> None:
    """Write a text to a file, whole or not at all, or to standard output; None is neither.

    Raises:
        UsageError: it cannot be written.
    """
    if file == STDOUT:
        say(text().rstrip("\n"))
    elif file is not None:
        leave(file, text())
