"""The page of a CI system that a check writes to."""

import os
import sys
from pathlib import Path

from labserver.diagnosis.result import CheckResult


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
