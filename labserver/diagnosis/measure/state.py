"""What a check knows so far: the one value that its phases share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from labserver.diagnosis.decide.decision import Decision
from labserver.diagnosis.decide.rules import Rules
from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind, said
from labserver.diagnosis.failure import Failure
from labserver.diagnosis.measure.driver import Driver
from labserver.diagnosis.measure.floors import Floors
from labserver.diagnosis.measure.heuristics import Heuristics
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.diagnosis.measure.plan import Plan
from labserver.diagnosis.measure.rules import rules_of
from labserver.diagnosis.measure.series import Series
from labserver.diagnosis.result import Finding, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.errors import CannotLook
from labserver.heap.budget import memory_limit
from labserver.heap.heap_growth import Site
from labserver.stats.interval import Interval
from labserver.targets.instrumented import Instrumented

LookT = TypeVar("LookT")
_UNMEASURED = Decision(Verdict.INCONCLUSIVE, None, Reason(ReasonKind.NO_SLOPE, {"floors": 0}))


@dataclass(frozen=True, slots=True)
class Measured:
    """The jobs that a verdict rests on: finished ones, those of them that failed, and why the first of these did."""

    jobs: int
    errors: int
    first_failure: Failure | None

    @classmethod
    def by(cls, driver: Driver) -> "Measured":
        """What a driver has counted by now."""
        return cls(driver.jobs, driver.errors, driver.first_failure if driver.errors else None)


@dataclass(slots=True, kw_only=True)
class CheckState:
    """One check, from the warm-up to the explanation.

    Attributes:
        target: what the answer calls the process.
        options: what is measured, and when it is enough.
        process: what is measured.
        driver: its load.
        heuristics: the figures by which it is done.
        rules: what counts as a leak.
        floors: takes the readings at rest.
        series: floors and counts since the measuring began, or began anew.
        can_look: whether looks at the heap succeed; otherwise the bytes alone decide.
        count_s: seconds that a look takes, by the first one.
        plan: how many jobs and floors; nothing before the warm-up.
        decision: what is known by now.
        measured: the jobs that it rests on, once it is final: to look for the holders takes more of them.
        notes: what should be known beside the verdict.
        holders: who holds what has come.
        findings: growth without a holder.
        sites: which stacks allocated what the traced jobs left, most bytes first.
        native: bytes per job beyond Python's objects; None where nobody knows.
        most_bytes: that the process may take.
        stopped: the entries at which holders were seen to grow no further, by path.
        regrouped: how often other processes served than before, so that it all began anew.
        meter: the memory that carries the verdict; None for what the series says.
    """

    target: str
    options: MeasureOptions
    process: Instrumented
    driver: Driver
    heuristics: Heuristics
    rules: Rules
    floors: Floors
    series: Series
    can_look: bool
    count_s: float = 0.0
    plan: Plan = field(default_factory=lambda: Plan(0, 0, 0, 0.0))
    decision: Decision = _UNMEASURED
    measured: Measured | None = None
    notes: list[Note] = field(default_factory=list)
    holders: tuple[NamedHolder, ...] = ()
    small_holders: tuple[NamedHolder, ...] = ()
    findings: tuple[Finding, ...] = ()
    sites: tuple[Site, ...] = ()
    native: Interval | None = None
    regrouped: int = 0
    meter: str | None = None
    most_bytes: float = float("inf")
    stopped: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, target: str, options: MeasureOptions, process: Instrumented, driver: Driver, heuristics: Heuristics
    ) -> "CheckState":
        """The state of a check that begins."""
        most_bytes = float(options.budget or memory_limit())
        heuristics = heuristics.for_processes(process.processes)
        rules = rules_of(options, heuristics.coarseness, instrumented=process.instrumented, processes=process.processes)
        return cls(
            target=target,
            options=options,
            process=process,
            driver=driver,
            heuristics=heuristics,
            rules=rules,
            floors=Floors(process, driver, heuristics.patience, options.settle),
            series=Series(rules, heuristics, countable=process.instrumented, most_bytes=most_bytes),
            can_look=process.instrumented,
            notes=[*said(*process.notes)],
            most_bytes=most_bytes,
        )

    def begin_series(self) -> None:
        """Measure anew: what was read before counts no more."""
        self.series = Series(
            self.rules,
            self.heuristics,
            countable=self.can_look,
            most_bytes=self.most_bytes,
            stopped=self.stopped,
        )

    @property
    def counted(self) -> Measured:
        """The measured jobs, so far or for good."""
        return self.measured or Measured.by(self.driver)

    def left_s(self) -> float:
        """Seconds until the check has to end."""
        return max(self.options.max_seconds - self.driver.seconds(), 0.0)

    def look(self, ask: Callable[[], LookT]) -> LookT | None:
        """What a look at the heap answers; None from the first one on that failed in every way."""
        if not self.can_look:
            return None
        try:
            return ask()
        except CannotLook as error:
            self.can_look = False
            self.series.stop_counting()
            self.notes.append(Note(NoteKind.NO_LOOK, {"why": str(error)}))
            return None


class Phase(Protocol):
    """One step of a check: it reads the state, and leaves in it what it has found out."""

    def __call__(self, state: CheckState, /) -> None:
        """Take the step.

        Raises:
            TimeIsUp: the check has run out of seconds; what was finished is in the state.
            CannotRun: nothing can be said: the application has died, or fails every job.
        """
