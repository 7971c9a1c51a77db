"""The files that a magic reads and leaves, as `labserver check` does."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

from labserver.diagnosis.accepted import Accepted, judge, read_baseline
from labserver.diagnosis.result import CheckResult
from labserver.files import STDOUT, leave, require_writable
from labserver.report.data import json_of
from labserver.report.html import html_of


@dataclass(frozen=True, slots=True)
class AnswerFiles:
    """What was asked for, and what a baseline accepts; None where no such file was named."""

    html: Path | None
    json: Path | None
    accepted: dict[str, Accepted] | None

    @classmethod
    def of(cls, arguments: Any) -> Self:
        """See that all can be written and read before anything is measured.

        Args:
            arguments: with the options `html`, `json` and `baseline`.

        Raises:
            UsageError: a file cannot be written, or a baseline cannot be read.
        """
        require_writable(arguments.html, arguments.json)
        accepted = None if arguments.baseline is None else read_baseline(arguments.baseline)
        return cls(arguments.html, arguments.json, accepted)

    def judged(self, result: CheckResult) -> CheckResult:
        """The result with the state of each finding, where there is a baseline."""
        today = date.today()  # noqa: DTZ011 - days are those of the reader's calendar
        return result if self.accepted is None else judge(result, self.accepted, today)

    def leave(self, result: CheckResult) -> None:
        """Write what was asked for.

        Raises:
            UsageError: it cannot be written.
        """
        if self.html is not None:
            leave(self.html, html_of(result))
        if self.json == STDOUT:
            print(json_of(result), end="")  # noqa: T201 - it is asked for
        elif self.json is not None:
            leave(self.json, json_of(result))
