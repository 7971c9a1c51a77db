"""What a check writes, and the pages of a CI system that it writes to."""

import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from labserver import __version__
from labserver.diagnosis.measure.options import CheckOptions
from labserver.diagnosis.result import CheckResult


def json_of(result: CheckResult) -> str:
    """The result as JSON text."""
    return json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def add_to_github(result: CheckResult) -> None:
    """Append to the summary of the job, where GitHub names a file for it; a check never fails over it."""
    from labserver.report.github import summary_of

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
        "load": f"{load}, {options.users} at the same time, settled for {options.settle:g} s before each floor",
        "command": shlex.join(["labserver", *arguments]),
    }
