"""What a leak check says of one test: a row of the session's table, as data that goes from worker to controller."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import pytest

from labserver.diagnosis.fact import NoteKind
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.diagnosis.sentences import sentence
from labserver.diagnosis.verdict import Verdict
from labserver.plugins.pytest_artefacts import Artefact, only_artefacts, own_holders
from labserver.plugins.pytest_settings import FixtureSetup
from labserver.report.holder_chain import holder_name

SCHEMA = "labserver.pytest/1"
_SITE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?: in .*)?")
_ANSWERS_NOTHING = (NoteKind.UNDECIDED, NoteKind.CANNOT_RUN, NoteKind.NEXT)


class Answer(StrEnum):
    """The answers, in the order of the table."""

    LEAK = "leak"
    INCONCLUSIVE = "inconclusive"
    NOT_JUDGED = "not-judged"
    NO_LEAK = "no-leak"


class WhyKind(StrEnum):
    """Why a test has no verdict, each with the arguments it has."""

    UNDECIDED = "undecided"
    """The check's own `text`."""
    FAILS_AGAIN = "fails-again"
    """Another run of the test fails at its `step`, `where` and why (`text`)."""
    FAILS_WITH_SHARED_FIXTURES = "fails-with-shared-fixtures"
    """The same, where the runs share what is set up once."""
    SLOW = "slow"
    """A run takes `seconds`, and of the `least` that say something only `fits` go into the `limit`."""
    REPORTS_ITSELF = "reports-itself"
    """It has subtests, which pytest would report for every run."""
    CANNOT_CHECK = "cannot-check"
    """The error's own `text`."""
    FIXTURES_ONCE = "fixtures-once"
    """The `holder` that grows only because the runs share what is set up once."""
    MOCK_CALLS = "mock-calls"
    """The `holder` where a mock records its calls."""
    PYTEST_KEEPS = "pytest-keeps"
    """The `holder` in which pytest or a plugin of it notes each run."""


_WHY_OF = {
    Artefact.FIXTURES_ONCE: WhyKind.FIXTURES_ONCE,
    Artefact.MOCK_CALLS: WhyKind.MOCK_CALLS,
    Artefact.PYTEST_KEEPS: WhyKind.PYTEST_KEEPS,
}


@dataclass(frozen=True, slots=True)
class Why:
    """Why there is no verdict: the kind, and the figures and texts that belong to it."""

    kind: WhyKind
    arguments: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one test, or of one check in it.

    Attributes:
        test: its node id.
        answer: what came out.
        check: which check of the test it is, from 1.
        why: why there is no verdict.
        estimate: bytes per run; None where that is not known.
        low: the lower bound of its interval.
        high: the upper bound.
        confidence: of the interval.
        tolerance: bytes per run below which growth is of no interest.
        runs: measured runs, the warm-up left out.
        seconds: the whole check.
        holder: who holds most of what has come.
        site: of a leak, the line that allocated it, else the test's own: `file:line in function`.
        page: the result's own HTML page, where one is wanted.
    """

    test: str
    answer: Answer
    check: int = 1
    why: Why | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    tolerance: float | None = None
    runs: int = 0
    seconds: float = 0.0
    holder: str = ""
    site: str = ""
    page: str = ""

    @classmethod
    def of(cls, item: pytest.Item, result: CheckResult, *, check: int = 1) -> Self:
        """What a check found that a test itself asked for."""
        return cls._of(item, result, next(iter(result.holders), None), _undecided(result), check=check)

    @classmethod
    def of_repetition(cls, item: pytest.Item, result: CheckResult, setup: FixtureSetup) -> Self:
        """What the check of a repeated test found, without what grows by the repetition alone.

        Args:
            item: the test.
            result: of the check.
            setup: how often its fixtures were set up.
        """
        holder = next(own_holders(result, item, setup), next(iter(result.holders), None))
        if result.verdict is Verdict.LEAK:
            artefact, largest = only_artefacts(result, item, setup)
            if artefact is not None and largest is not None:
                return cls._of(item, result, largest, None).withdrawn(_WHY_OF[artefact])
        return cls._of(item, result, holder, _undecided(result))

    @classmethod
    def without(cls, item: pytest.Item, why: Why) -> Self:
        """That a test could not be judged."""
        return cls(item.nodeid, Answer.NOT_JUDGED, why=why)

    @classmethod
    def _of(
        cls, item: pytest.Item, result: CheckResult, holder: NamedHolder | None, why: Why | None, *, check: int = 1
    ) -> Self:
        interval = result.interval
        return cls(
            test=item.nodeid,
            answer=Answer(str(result.verdict)),
            check=check,
            why=why,
            estimate=None if interval is None else interval.estimate,
            low=None if interval is None else interval.low,
            high=None if interval is None else interval.high,
            confidence=None if interval is None else interval.confidence,
            tolerance=result.tolerance,
            runs=result.jobs,
            seconds=round(result.seconds, 2),
            holder="" if holder is None else holder_name(holder),
            site=_site(item, result, holder) if result.verdict is Verdict.LEAK else "",
        )

    def withdrawn(self, kind: WhyKind) -> Self:
        """The same where it has turned out that only the repetition makes the holder grow."""
        return replace(self, answer=Answer.NOT_JUDGED, why=Why(kind, {"holder": self.holder}), site="")

    @property
    def place(self) -> tuple[str, int]:
        """The file and the line of the site."""
        found = _SITE.fullmatch(self.site)
        return (found["file"], int(found["line"])) if found else (self.test.partition("::")[0], 1)

    def to_dict(self) -> dict[str, Any]:
        """All of it in JSON's own types, for the way from a worker: pytest-xdist carries no derived ones."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read it back."""
        why = values["why"]
        read = None if why is None else Why(WhyKind(why["kind"]), why["arguments"])
        return cls(**{**values, "answer": Answer(values["answer"]), "why": read})

    def to_json(self) -> dict[str, Any]:
        """A line for other programs, in the schema `labserver.pytest/1`."""
        interval = {"estimate": self.estimate, "low": self.low, "high": self.high, "confidence": self.confidence}
        return {
            "schema": SCHEMA,
            "test": self.test,
            "check": self.check,
            "verdict": str(self.answer),
            "why": None if self.why is None else {"kind": str(self.why.kind)} | dict(self.why.arguments),
            "bytes_per_run": None if self.estimate is None else interval,
            "tolerance_bytes_per_run": self.tolerance,
            "runs": self.runs,
            "seconds": self.seconds,
            "holder": self.holder or None,
            "allocated_at": self.site or None,
        }


def _undecided(result: CheckResult) -> Why | None:
    """Why a result is undecided, and what to run next, in the check's own words."""
    if result.verdict is not Verdict.INCONCLUSIVE:
        return None
    told = [note for note in result.noted if note.kind in _ANSWERS_NOTHING] or list(result.noted)
    return Why(WhyKind.UNDECIDED, {"text": " ".join(map(sentence, told))})


def _site(item: pytest.Item, result: CheckResult, holder: NamedHolder | None) -> str:
    """The line of the application's that allocated what came; the test's first line where there is none."""
    parts = [part for part in (holder, *result.findings) if part is not None]
    own = (str(frame) for part in parts for frame in part.stack if frame.is_own)
    untraced = (part.allocated_at[0] for part in parts if part.allocated_at and not part.stack)
    return next(own, next(untraced, _own_site(item)))


def _own_site(item: pytest.Item) -> str:
    file, line, _ = item.location
    return f"{Path(file).as_posix()}:{(line or 0) + 1} in {item.name}"


JUDGEMENTS = pytest.StashKey[list[Judgement]]()
"""Of a test that is under way."""
