"""A check's result as data: the JSON that programs read, and where and how it was measured."""

import json
import os
import platform
from datetime import UTC, datetime

from labserver import __version__
from labserver.amounts import duration
from labserver.diagnosis.measure.options import CheckOptions
from labserver.diagnosis.result import CheckResult


def json_of(result: CheckResult) -> str:
    """The result as JSON text."""
    return json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def provenance(*, load: str, command: str, started: datetime) -> dict[str, str]:
    """What ran where and how, name by name; nothing of it names a person or a host.

    Args:
        load: what a job was, and how it was driven.
        command: as it was typed.
        started: when, with its time zone.
    """
    return {
        "labserver": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs",
        "started": started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "load": load,
        "command": command,
    }


def load_in_words(options: CheckOptions) -> str:
    """What a job was, and how an application was driven with it."""
    if options.observe is not None:
        return f"none: its own traffic was observed for {duration(options.observe)}"
    job = options.journey or "; ".join(options.requests)
    return f"{job}, {options.users} at the same time, settled for {options.settle:g} s before each floor"
