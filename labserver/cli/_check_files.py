"""The files that a check leaves, and the pages of a CI system that it writes to."""

import json
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from labserver import __version__
from labserver.diagnosis.check_options import CheckOptions
from labserver.diagnosis.check_result import CheckResult
from labserver.errors import UsageError
from labserver.suite.files import write_text

STDOUT = Path("-")


def require_writable(*files: Path | None) -> None:
    """A check of minutes must not end with a file that cannot be written.

    Raises:
        UsageError: a folder is not there or not writable, or one file is asked for twice.
    """
    named = [file for file in files if file is not None and file != STDOUT]
    for file in named:
        if not file.parent.is_dir():
            raise UsageError(f"{file} cannot be written: there is no directory {file.parent}.")
        try:
            with tempfile.TemporaryFile(dir=file.parent):
                pass
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}.") from error
    if len({file.resolve() for file in named}) < len(named):
        raise UsageError("Two options name the same file: give each its own.")


def write(file: Path | None, text: Callable[[], str]) -> None:
    """Write a text to a file, whole or not at all; None and standard output are no files.

    Raises:
        UsageError: it cannot be written.
    """
    if file is None or file == STDOUT:
        return
    try:
        if file.exists() and not file.is_file():  # a pipe or a device is written into, never replaced
            file.write_text(text(), encoding="utf-8")
        else:
            write_text(file, text())
    except OSError as error:
        raise UsageError(f"{file} cannot be written ({error.strerror}).") from error


def json_of(result: CheckResult) -> str:
    """The result as JSON text."""
    return json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def add_to_github(result: CheckResult) -> None:
    """Append to the summary of the job, where GitHub names a file for it; a check never fails over it."""
    from labserver.report.check_summary import summary_of

    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if name:
        try:
            with Path(name).open("a", encoding="utf-8") as file:
                file.write(summary_of(result))
        except OSError as error:
            print(f"labserver: the job's summary cannot be written ({error.strerror}).", file=sys.stderr)


def provenance(options: CheckOptions, arguments: Sequence[str], started: datetime) -> dict[str, str]:
    """What ran where and how, name by name; nothing of it names a person or a host."""
    load = options.journey or "; ".join(options.requests)
    return {
        "labserver": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs",
        "started": started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "load": f"{load}, {options.users} at the same time, settled for {options.settle_s:g} s before each floor",
        "command": shlex.join(["labserver", *arguments]),
    }
