"""Check an application: drive it with jobs, read its memory at rest, decide, and name who holds what has come."""

import time
from dataclasses import replace
from typing import Any

from labserver.diagnosis.decide.decision import Decision
from labserver.diagnosis.fact import Reason, ReasonKind
from labserver.diagnosis.failure import JobsFailed
from labserver.diagnosis.instruments import COMMANDS
from labserver.diagnosis.measure.driver import Load, TimeIsUp, driving
from labserver.diagnosis.measure.naming import Named, name_holders
from labserver.diagnosis.measure.native import meter_of, native_interval
from labserver.diagnosis.measure.options import CheckOptions, CheckProgress, MeasureOptions, OnProgress
from labserver.diagnosis.measure.schedule import WARM_UP_SHARE, Plan, make_plan, rules_of, warm_up_jobs
from labserver.diagnosis.measure.series import Series, floor_name
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.diagnosis.sentences import sentence
from labserver.diagnosis.verdict import Verdict
from labserver.errors import CannotLook
from labserver.stats.interval import Interval
from labserver.targets.child import START_S
from labserver.targets.target import Instrumented, open_target, parse_target

_PROBES = 3
_LEAST_HTTP_THREADS = 4
_WARM_UP_SLICE = 25
_COUNT_EVERY = 4  # floors
_QUICK_COUNT_S = 0.4
_LATER = 1.25
_IDLE_S, _IDLE_SHARE, _LONGEST_IDLE_S = 4.0, 0.3, 20.0
_FALLS = 0.25  # of the growth
_GRAPH_S = 600.0  # two children, one after the other, have 240 s each
_THREADS_WORTH_A_NOTE = 0.02
_FEWEST_THREADS = 6
_LINGERING, _SHORT_PATIENCE_S = 2, 0.2
_HIDES = 4.6  # ln 100
_STALL_MS = 1000.0


class Interrupted(KeyboardInterrupt):
    """A check was interrupted; its result, which is inconclusive, has the floors that were read until then."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__()
        known = f"Interrupted after {result.jobs} jobs: what was known so far."
        self.result = replace(result, notes=(*result.notes, known))


def run_check(options: CheckOptions, on_progress: OnProgress | None = None) -> CheckResult:
    """Check an application from start to verdict; afterwards nothing of it is left.

    Raises:
        UsageError: an option makes no sense.
        CannotRun: the application cannot be started, dies, or fails every job.
        Interrupted: Ctrl-C, while the application ran; a plain KeyboardInterrupt before that.
    """
    options.validate()
    if options.stall_ms is None:
        options = replace(options, stall_ms=_STALL_MS if parse_target(options.target).application else 0.0)
    began = time.monotonic()
    report = on_progress or (lambda _: None)
    report(CheckProgress("starting the application", 0, 0.0))
    with (
        open_target(
            options.target,
            http_threads=max(_LEAST_HTTP_THREADS, options.users),
            instruments=COMMANDS,
            start_s=min(START_S, options.max_seconds),
        ) as process,
        driving(options, process, began, report) as driver,
    ):
        return measure(options, process, driver, name=options.target)


def measure(options: MeasureOptions, process: Instrumented, load: Load, *, name: str) -> CheckResult:
    """The check of a process that is ready, under a load that is ready."""
    return _Check(options, process, load, name).run()


class _Check:
    """One check, from the warm-up to the result."""

    def __init__(self, options: MeasureOptions, process: Instrumented, driver: Load, name: str) -> None:
        self._options = options
        self._name = name
        self._process = process
        self._driver = driver
        self._settle_s = options.settle
        self._threads: int | None = None  # at rest
        self._lingering = 0  # floors at which some had not ended
        self._last_floor = 0
        self._count_s = 0.0
        self._notes: list[str] = list(process.notes)
        self._can_look = process.instrumented
        self._rules = rules_of(options, instrumented=process.instrumented)
        self._series = self._new_series()

    def run(self) -> CheckResult:
        """Warm up, measure, and explain what has grown."""
        try:
            return self._run()
        except KeyboardInterrupt as error:
            raise Interrupted(self._result(Verdict.INCONCLUSIVE, self._driver.interval)) from error

    def _run(self) -> CheckResult:
        try:
            decision = self._measure(self._warm_up())
        except TimeIsUp:
            decision = self._last_word()
        jobs, errors = self._driver.jobs, self._driver.errors
        if jobs and errors >= jobs:  # one that was cut short fails uncounted
            raise JobsFailed("Every measured job failed", self._driver.first_failure)
        self._note_circumstances(decision)
        return self._explained(self._result(decision.verdict, decision.interval))

    def _result(self, verdict: Verdict, interval: Interval | None) -> CheckResult:
        """What was measured, without an explanation."""
        series, driver = self._series, self._driver
        return CheckResult(
            target=self._name,
            verdict=verdict,
            interval=interval,
            tolerance=self._rules.tolerance,
            meter=series.meter,
            jobs=driver.jobs,
            seconds=driver.seconds(),
            errors=driver.errors,
            failure=driver.first_failure if driver.errors else None,
            floors=tuple(zip(series.jobs, series.floors, strict=False)),  # an interrupt may fall between the two
            notes=tuple(self._notes),
        )

    def _warm_up(self) -> Plan:
        """Run the jobs that make caches, pools and lazy imports what they stay; returns what can be measured then."""
        self._driver.begin("warming up")
        self._probe()
        until = self._driver.seconds() + WARM_UP_SHARE * self._left()
        began, before = time.monotonic(), self._driver.jobs
        wanted = max(warm_up_jobs(self._options), before + _WARM_UP_SLICE)  # many users' first jobs may be more
        while self._driver.jobs < wanted and self._driver.seconds() < until:
            self._driver.drive(min(_WARM_UP_SLICE, wanted - self._driver.jobs))
        rate = max(self._driver.jobs - before, 1) / (time.monotonic() - began)
        if self._driver.jobs < wanted:
            self._notes.append(f"The application is slow: the warm-up ended after {self._driver.jobs} jobs.")
        began = time.monotonic()
        self._threads = self._process.ask("floor")["threads"]
        floor_s = time.monotonic() - began + self._settle_s
        return make_plan(self._options, jobs_per_s=rate, floor_s=floor_s, left_s=self._left())

    def _probe(self) -> None:
        """A few jobs first: an application that fails them all is not worth a warm-up."""
        for attempt in range(_PROBES):
            if attempt:
                time.sleep(0.5)
            if self._driver.drive(2 * self._driver.concurrency):
                return
        raise JobsFailed("Every job failed", self._driver.first_failure)

    def _measure(self, plan: Plan) -> Decision:
        """Look, and look again where what grew fills a bounded cache, or goes away by itself."""
        decision = self._look(plan)
        settle_s = None if decision.fills else self._expiry(decision)
        if settle_s is not None:
            decision = self._look_again(plan, settle_s, decision)
        filling = self._series.filling() if decision.fills else None
        if filling is None:
            return decision
        path, bound = filling
        if not self._fill(path, bound, plan):
            why = Reason(ReasonKind.NOT_FULL, {"path": path, "bound": bound})
            return Decision(Verdict.INCONCLUSIVE, decision.interval, why, fills=True)
        self._notes.append(f"{path} was filled up to its bound of {bound:,} before the measured jobs.")
        return self._look(plan, filled=True)

    def _look(self, plan: Plan, *, filled: bool = False) -> Decision:
        """Cycles of jobs with a floor after each, until the floors are sure of one answer.

        Args:
            plan: how many.
            filled: whether what declares a bound had the jobs to reach it. What is emptied when it is full still grows
                up to that once more: only beyond it is the bound none.
        """
        self._series = self._new_series()
        self._driver.begin("measuring")
        reading = self._rest()
        if self._can_look:
            seen = self._look_at_heap("baseline", stall_ms=self._options.stall_ms or 0.0) or {"notes": ()}
            self._notes += seen["notes"]
            began = time.monotonic()
            # What a first look imports and keeps is no growth.
            self._series.begin_counting(self._look_at_heap("growth") or {"holders": []})
            self._count_s = time.monotonic() - began
            reading = self._rest()
        self._series.add(0, reading)
        decision = self._series.decide(final=False)
        while decision.verdict is Verdict.INCONCLUSIVE and (filled or not decision.fills) and not self._is_over(plan):
            self._driver.drive(min(plan.cycle, plan.jobs - self._driver.jobs))
            self._series.add(self._driver.jobs, self._rest())
            decision = self._decide(final=self._is_over(plan))
            self._driver.interval = decision.interval
            self._driver.say()
        return decision

    def _last_word(self) -> Decision:
        """What can be said when the seconds are over; a cycle that was cut short counts, too."""
        series = self._series
        if series.jobs and not self._settle_s and self._driver.jobs > series.jobs[-1]:
            series.add(self._driver.jobs, self._process.ask("floor"))
            return self._decide(final=True)
        return series.decide(final=True, counted=False)

    def _is_over(self, plan: Plan) -> bool:
        floors = len(self._series.jobs)
        return self._driver.jobs >= plan.jobs or floors >= plan.floors or self._left() < plan.cycle_s

    def _decide(self, *, final: bool) -> Decision:
        """Decide; count what the holders have gained where that is due, or the answer depends on it."""
        if self._can_look and (len(self._series.jobs) - 1) % _COUNT_EVERY == 0:
            self._count()
        decision = self._series.decide(final=final)
        if decision.wants_counts and (final or self._is_count_due()):
            self._count()
            decision = self._series.decide(final=final)
        return decision

    def _is_count_due(self) -> bool:
        """Not at each look where a graph of the heap takes seconds."""
        counted = self._series.counted_at
        return self._count_s < _QUICK_COUNT_S or not counted or self._series.jobs[-1] >= _LATER * counted[-1]

    def _count(self) -> None:
        if (growth := self._look_at_heap("growth")) is not None:
            self._series.count(growth)

    def _look_at_heap(self, command: str, **arguments: Any) -> Any:
        """What a look answers; None from the first one on that failed in every way: then the bytes alone decide."""
        if not self._can_look:
            return None
        try:
            return self._process.ask(command, within_s=_GRAPH_S, **arguments)
        except CannotLook as error:
            self._lose_sight(error)
            return None

    def _lose_sight(self, error: CannotLook) -> None:
        self._can_look = False
        self._series.stop_counting()
        self._notes.append(f"The heap could not be looked at, so the holders are not known: {error}.")

    def _expiry(self, decision: Decision) -> float | None:
        """Seconds after which what grew goes away without any load, if it does: results that live for a while."""
        grown = self._series.grown
        suspected = decision.verdict is not Verdict.NO_LEAK and grown > 6 * self._rules.noise_bytes
        if not suspected or self._options.settle or not self._process.instrumented:
            return None
        self._driver.name("waiting for what may expire")
        began, top = self._driver.seconds(), self._last_floor
        patience, least, fell_at = min(_IDLE_S, _IDLE_SHARE * self._left()), top, None
        while (waited := self._driver.seconds() - began) < patience:
            self._driver.rest(0.5)
            self._rest(settle_s=0)
            value = self._last_floor
            if value < least - _FALLS / 4 * grown:
                least, fell_at = value, self._driver.seconds() - began
                patience = min(max(patience, 2 * waited + 1), _LONGEST_IDLE_S)
        return fell_at if fell_at is not None and top - least > _FALLS * grown else None

    def _look_again(self, plan: Plan, settle_s: float, before: Decision) -> Decision:
        """Measure anew with the wait that the application turned out to need."""
        self._settle_s = settle_s + 0.5
        floors = (self._left() - self._settle_s) / (plan.cycle_s + self._settle_s)
        if floors < plan.floors / 4:
            why = Reason(ReasonKind.EXPIRES, {"seconds": settle_s})
            return Decision(Verdict.INCONCLUSIVE, before.interval, why)
        self._notes.append(
            f"Memory went down by itself within {settle_s:.1f} s without load: measured anew, with that wait before "
            "each floor."
        )
        return self._look(replace(plan, cycle_s=plan.cycle_s + self._settle_s))

    def _fill(self, path: str, bound: int, plan: Plan) -> bool:
        """Run the jobs that a cache needs to be full; False where there is no time for so many."""
        if bound > plan.jobs:
            return False
        self._driver.name(f"filling {path} up to its bound of {bound:,}")
        measured, errors = self._driver.jobs, self._driver.errors
        try:
            self._driver.drive(2 * bound)  # some keys repeat: a job does not always bring an entry
        except TimeIsUp:
            self._driver.jobs, self._driver.errors = measured, errors
            return False
        return True

    def _new_series(self) -> Series:
        return Series(self._rules, countable=self._can_look)

    def _rest(self, settle_s: float | None = None) -> dict[str, Any]:
        self._driver.rest(self._settle_s if settle_s is None else settle_s)
        patience = {"settle_s": _SHORT_PATIENCE_S} if self._lingering >= _LINGERING else {}
        reading: dict[str, Any] = self._process.ask("floor", threads=self._threads, **patience)
        # A thread that did not end in time is not waited for again, nor are others for long where that is the rule.
        self._lingering += self._threads is not None and reading["threads"] > self._threads
        self._threads = max(self._threads or 0, reading["threads"])
        self._last_floor = int(reading[floor_name(reading)])
        return reading

    def _drive_traced(self, jobs: int) -> dict[str, Any]:
        """More jobs and the floor after them, for the pass that looks for allocation sites."""
        self._driver.drive(jobs)
        return self._rest()

    def _left(self) -> float:
        return max(self._options.max_seconds - self._driver.seconds(), 0.0)

    def _explained(self, result: CheckResult) -> CheckResult:
        """The result with its holders, findings, native part and notes."""
        holders: tuple[NamedHolder, ...] = ()
        findings: tuple[Finding, ...] = ()
        series, traced_per_job = self._series, None
        if result.verdict is Verdict.LEAK and (named := self._named_holders()) is not None:
            holders, findings, traced_per_job = named.holders, self._with_threads(named.findings), named.traced_per_job
            self._notes += [note for note in named.notes if note not in self._notes]
        native = None
        if result.interval is not None and series.meter == "both" and self._process.instrumented:
            native = native_interval(
                series.whole(),
                jobs=series.jobs[-1],
                objects_per_job=series.objects_per_job,
                traced_per_job=traced_per_job,
            )
        meter = series.meter
        if result.verdict is Verdict.LEAK and native is not None:
            meter = meter_of(series.whole(), native, self._rules.tolerance, meter)
        seconds = self._driver.seconds()
        return replace(
            result,
            holders=holders,
            findings=findings,
            native=native,
            meter=meter,
            seconds=seconds,
            notes=tuple(self._notes),
        )

    def _named_holders(self) -> Named | None:
        if not self._can_look:
            return None
        self._driver.name("looking for the holders")
        try:
            return name_holders(
                self._process,
                growth_bytes=self._series.grown,
                jobs=max(self._series.jobs[-1], 1),
                collecting=self._series.collecting,
                drive=self._drive_traced,
            )
        except CannotLook as error:
            self._lose_sight(error)
            return None

    def _with_threads(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Threads that jobs leave behind are the cause of what has no other name."""
        if not self._leaves_threads():
            return findings
        left, jobs = self._series.threads_left, self._series.jobs[-1]
        text = (
            f"{left:,} threads were started by {jobs:,} jobs and still run, each with its stack and what it refers to."
        )
        unnamed = sum(finding.bytes_per_job for finding in findings)
        where = next((finding.allocated_at for finding in findings if finding.allocated_at), ())
        return (Finding("threads", unnamed, where, text),)

    def _leaves_threads(self) -> bool:
        left = self._series.threads_left
        return left >= max(_FEWEST_THREADS, _THREADS_WORTH_A_NOTE * self._series.jobs[-1])

    def _note_circumstances(self, decision: Decision) -> None:
        self._notes += [sentence(note) for note in decision.notes]
        driver, jobs = self._driver, self._driver.jobs
        if driver.errors:
            share = driver.errors / max(jobs, 1)
            self._notes.append(f"{driver.errors} of {jobs} jobs failed ({share:.0%}): {driver.first_failure}.")
        if self._series.jobs and self._leaves_threads() and decision.verdict is not Verdict.LEAK:
            self._notes.append(f"{self._series.threads_left} threads were started by {jobs} jobs and still run.")
        if self._series.meter == "traced":
            self._notes.append("This platform's allocators keep no books: the memory was traced, which costs time.")
        if decision.verdict is Verdict.NO_LEAK and jobs:
            self._notes.append(f"What fewer than 1 in {max(int(jobs / _HIDES), 1)} jobs keep may not have shown.")
        if decision.reason is not None:
            self._notes.append(f"Undecided after {jobs} jobs: {sentence(decision.reason)}.")
            if not decision.fills and (kept := self._series.largest) is not None:
                items = f"{kept.items:,} item{'s' if kept.items > 1 else ''}"
                self._notes.append(f"Most of the growth is held by {kept.path}: {items} by the last look.")
