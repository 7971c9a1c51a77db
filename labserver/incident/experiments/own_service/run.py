"""Check an application from a notebook: imported from a folder of the user's, with its progress in one line."""

from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from labserver.diagnosis.measure.check import run_check
from labserver.diagnosis.measure.options import CheckOptions, CheckProgress, MeasureKeywords
from labserver.diagnosis.result import CheckResult
from labserver.errors import UsageError
from labserver.incident.experiments.measured import Measured
from labserver.suite.status_line import StatusLine


@dataclass(frozen=True, slots=True)
class Application(Measured):
    """What is to be checked.

    Attributes:
        target: `module:attribute`.
        holder: what is expected to hold what stays of each job; empty where nothing should.
    """

    target: str
    holder: str = ""


def check_service(
    target: str,
    requests: Sequence[str],
    *,
    folder: str,
    users: int,
    status_line: StatusLine,
    **options: Unpack[MeasureKeywords],
) -> CheckResult:
    """Check one application, as `labserver.diagnosis.run_check` does.

    Args:
        target: `module:attribute`.
        requests: one job, request by request.
        folder: where the module is imported from; relative to the notebook's folder.
        users: jobs under way at the same time.
        status_line: where to say how far it is.
        **options: see `labserver.diagnosis.measure.options.MeasureOptions`.

    Raises:
        UsageError: there is no such folder, or an option makes no sense.
        CannotRun: the application cannot be started, dies, or fails every job.
    """
    if not Path(folder).is_dir():
        raise UsageError(f"There is no folder {folder} to import {target} from.")

    def say(now: CheckProgress) -> None:
        known = "" if now.interval is None else f": {now.interval}"
        status_line.say(f"{target}: {now.phase}, {now.jobs} jobs{known}")

    with chdir(folder):
        return run_check(CheckOptions(target, tuple(requests), users=users, **options), say)
