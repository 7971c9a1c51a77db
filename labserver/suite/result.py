"""What became of a run: one result a notebook, and the exit code of them all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from labserver.suite.finding import Finding
from labserver.suite.findings import failed_claims

INTERRUPTED_EXIT_CODE = 130
"""What a shell reports for a command that Ctrl-C ended."""


class Status(StrEnum):
    """How a notebook ended."""

    PASSED = "passed"
    CLAIM_FAILED = "claim-failed"
    ERROR = "error"
    TIMEOUT = "timeout"
    DEAD_KERNEL = "dead-kernel"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not-run"


_CANNOT_RUN = (Status.ERROR, Status.TIMEOUT, Status.DEAD_KERNEL)


@dataclass(frozen=True, slots=True)
class NotebookResult:
    """One notebook of a run.

    ``output`` is the executed notebook (None when it was not run), ``cell`` the number of the cell it failed in,
    as in ``In [4]``, ``message`` what happened there, ``parameters`` all values it ran with.
    """

    name: str
    source: Path
    status: Status
    seconds: float = 0.0
    message: str = ""
    output: Path | None = None
    cell: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def closing_lines(self) -> list[str]:
        """The notebook's last progress line: its status, duration, claims or error; then each claim that fails."""
        failed = failed_claims(self.findings)
        # A claim can fail without a finding: none was recorded.
        counts = self.status is Status.PASSED or (self.status is Status.CLAIM_FAILED and failed)
        said = _claims(self.findings) if counts else self.message
        parts = [self.name, self.status.value, f"{self.seconds:.0f} s", said]
        return ["  ".join(part for part in parts if part), *failed]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run. Times are UTC."""

    run_dir: Path
    profile: str | None
    started: datetime
    ended: datetime
    notebooks: tuple[NotebookResult, ...]

    @property
    def failures(self) -> tuple[NotebookResult, ...]:
        """The notebooks whose claims do not hold, or that could not run."""
        return tuple(notebook for notebook in self.notebooks if notebook.status in (Status.CLAIM_FAILED, *_CANNOT_RUN))

    @property
    def exit_code(self) -> int:
        """0 every claim holds, 1 one does not, 3 a notebook could not run, 130 interrupted."""
        statuses = {notebook.status for notebook in self.notebooks}
        if Status.INTERRUPTED in statuses or Status.NOT_RUN in statuses:
            return INTERRUPTED_EXIT_CODE
        if statuses.intersection(_CANNOT_RUN):
            return 3
        return int(Status.CLAIM_FAILED in statuses)


def _claims(findings: Sequence[Finding]) -> str:
    claims = [finding for finding in findings if finding.is_claim]
    held = sum(finding.holds for finding in claims)
    if held < len(claims):
        return f"{held} of {len(claims)} claims hold"
    return f"{held} claim holds" if held == 1 else f"{held} claims hold"
