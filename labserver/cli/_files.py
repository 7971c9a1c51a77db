"""The files that commands leave: what cannot be written is known before anything starts."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from labserver.cli import say
from labserver.errors import UsageError
from labserver.files import write_text

STDOUT = Path("-")


def require_writable(*files: Path | None) -> None:
    """A run of minutes must not end with a file that cannot be written.

    Raises:
        UsageError: a folder is not there or not writable, or one file is asked for twice.
    """
    named = [file for file in files if file is not None]
    for file in named:
        if file == STDOUT:
            continue
        if not file.parent.is_dir():
            raise UsageError(f"{file} cannot be written: there is no directory {file.parent}.")
        if _is_written_into(file):
            continue
        try:
            with tempfile.TemporaryFile(dir=file.parent):
                pass
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}.") from error
    if len({file.resolve() for file in named}) < len(named):
        raise UsageError("Two options name the same file: give each its own.")


def write(file: Path | None, text: Callable[[], str]) -> None:
    """Write a text to a file, whole or not at all, or to standard output; None is neither.

    Raises:
        UsageError: it cannot be written.
    """
    if file is None:
        return
    if file == STDOUT:
        say(text().rstrip("\n"))
        return
    try:
        if _is_written_into(file):
            file.write_text(text(), encoding="utf-8")
        else:
            write_text(file, text())
    except OSError as error:
        raise UsageError(f"{file} cannot be written ({error.strerror}).") from error


def _is_written_into(file: Path) -> bool:
    """Whether it is a pipe or a device, which is never replaced."""
    return file.exists() and not file.is_file()
