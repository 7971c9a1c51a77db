"""Files that are whole or absent, whatever happens to the writer; what cannot be written is known beforehand."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from labserver.errors import UsageError

STDOUT = Path("-")
"""What stands for standard output where a file is named."""


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


def leave(file: Path, text: str) -> None:
    """Write a text to a file that a user has named, whole or not at all; into a pipe or a device as it is.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        if _is_written_into(file):
            file.write_text(text, encoding="utf-8")
        else:
            write_text(file, text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written ({error.strerror}).") from error


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` at once: a reader sees the old text or the new, never half of it."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace ``path`` at once, as `write_text` does."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        # mkstemp is private to its owner; a result file is readable like any other.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write ``document`` byte-stably: sorted keys, two spaces, no NaN, a final newline."""
    write_text(path, json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def _is_written_into(file: Path) -> bool:
    """Whether it is a pipe or a device, which is never replaced."""
    return file.exists() and not file.is_file()
