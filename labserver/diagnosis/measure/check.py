"""A check: an application is driven with jobs, its memory is read at rest, and what has grown is explained.

A check is a sequence of phases that share one state. To add a phase, write a function from the state into a module of
its own in `phases`, and give it a place in `DECIDING` or in `EXPLAINING` below. It reads from the state what it needs,
leaves in it what it has found out, and returns at once where there is nothing for it to do. A figure that it goes by
stands in a dataclass of `heuristics`, a note that it adds has a kind in `fact` and words in `sentences`.
"""

import time
from contextlib import AbstractContextManager
from dataclasses import replace

from labserver.diagnosis.fact import FailedKind, Note, NoteKind
from labserver.diagnosis.failure import JobsFailed
from labserver.diagnosis.instruments import COMMANDS
from labserver.diagnosis.measure.cycles import last_word, of_others
from labserver.diagnosis.measure.driver import Driver, TimeIsUp, driving
from labserver.diagnosis.measure.heuristics import Heuristics
from labserver.diagnosis.measure.notes import note_circumstances
from labserver.diagnosis.measure.observed_result import result_of
from labserver.diagnosis.measure.observed_series import CountOutside
from labserver.diagnosis.measure.observer import Observer
from labserver.diagnosis.measure.options import CheckOptions, CheckProgress, MeasureOptions, OnProgress
from labserver.diagnosis.measure.phases.challenge import challenge
from labserver.diagnosis.measure.phases.expiry import wait_for_expiry
from labserver.diagnosis.measure.phases.explaining import explain
from labserver.diagnosis.measure.phases.measuring import measure_floors
from labserver.diagnosis.measure.phases.warm_up import warm_up
from labserver.diagnosis.measure.state import CheckState, Measured, Phase
from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.verdict import Verdict
from labserver.stats.interval import Interval
from labserver.targets.child import START_S
from labserver.targets.instrumented import Instrumented, Regrouped, Target
from labserver.targets.server.server import Readiness, server
from labserver.targets.target import open_target, parse_target

DECIDING: tuple[Phase, ...] = (warm_up, measure_floors, wait_for_expiry, challenge)
"""Until there is a decision; when the seconds are over, the rest is left out."""
EXPLAINING: tuple[Phase, ...] = (note_circumstances, explain)
"""Once it is final."""

_LEAST_HTTP_THREADS = 4  # a pool of one would hide what threads keep for themselves
_STALL_MS = 1000.0  # of an application that the check has started, and nobody else waits for
_LIVE_STALL_MS = 20.0  # of a service under its own traffic, for which somebody does


class Interrupted(KeyboardInterrupt):
    """A check was interrupted; its result, which is inconclusive, has the floors that were read until then."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__()
        known = Note(NoteKind.INTERRUPTED, {"jobs": result.jobs})
        self.result = replace(result, noted=(*result.noted, known))


def run_check(
    options: CheckOptions, on_progress: OnProgress | None = None, *, jobs: CountOutside | None = None, jobs_by: str = ""
) -> CheckResult:
    """Check an application from start to verdict; afterwards nothing of it is left.

    Args:
        options: what is checked, and how.
        on_progress: called twice a second, and at each floor or look.
        jobs: reads the jobs that a counter outside of an observed service has counted; None to ask its server.
        jobs_by: what that counter is called.

    Raises:
        UsageError: an option makes no sense.
        CannotRun: the application cannot be started, dies, or fails every job.
        Interrupted: Ctrl-C, while the application ran; a plain KeyboardInterrupt before that.
    """
    options.validate()
    report = on_progress or (lambda _: None)
    if options.observe is not None:
        return _observe(options, report, jobs, jobs_by)
    runs_already = options.command is None and parse_target(options.target).application is None
    if options.stall_ms is None:
        options = replace(options, stall_ms=0.0 if runs_already else _STALL_MS)
    began = time.monotonic()
    report(CheckProgress("starting the server" if options.command else "starting the application", 0, 0.0))
    with _opened(options) as process, driving(options, process, began, report) as driver:
        return measure(options, process, driver, name=options.name)


def _opened(options: CheckOptions) -> AbstractContextManager[Target]:
    """What is checked, ready for load and questions for the length of a `with` block."""
    start_s = min(START_S, options.max_seconds)
    attach_s = options.attach_s
    if options.command is not None:
        # Who gets its tasks elsewhere has no port, and a journey that knows where.
        ready = Readiness(start_s, options.ready_path, needs_port=options.journey is None)
        return server(options.command, ready=ready, attach_s=attach_s)
    return open_target(
        options.target,
        http_threads=max(_LEAST_HTTP_THREADS, options.users),
        instruments=COMMANDS,
        start_s=start_s,
        attach_s=attach_s,
    )


def _observe(options: CheckOptions, report: OnProgress, jobs: CountOutside | None, jobs_by: str) -> CheckResult:
    """The check of a service under its own traffic: no load is made."""
    if options.stall_ms is None:
        options = replace(options, stall_ms=_LIVE_STALL_MS)
    observer = Observer(options, report, outside=jobs, counted_by=jobs_by)
    try:
        observer.run()
    except KeyboardInterrupt as error:
        raise Interrupted(result_of(observer, options, interrupted=True)) from error
    return result_of(observer, options)


def measure(
    options: MeasureOptions, process: Instrumented, driver: Driver, *, name: str, heuristics: Heuristics | None = None
) -> CheckResult:
    """The check of a process that is ready, under a load that is ready.

    Args:
        options: what is measured, and when it is enough.
        process: what is measured.
        driver: its load.
        name: what the answer calls the process.
        heuristics: the figures by which it is done, where they are others than usual.

    Raises:
        JobsFailed: every job failed.
        Interrupted: Ctrl-C.
    """
    state = CheckState.of(name, options, process, driver, heuristics or Heuristics())
    try:
        _decide(state)
        for phase in EXPLAINING:
            phase(state)
    except KeyboardInterrupt as error:
        raise Interrupted(_result(state, Verdict.INCONCLUSIVE, driver.interval)) from error
    return _result(state, state.decision.verdict, state.decision.interval)


def _decide(state: CheckState) -> None:
    try:
        _decide_of_one_group(state)
    except TimeIsUp:
        state.decision = last_word(state)
    except Regrouped:  # with the seconds, or for the last time
        state.decision = of_others(state)
    state.measured = measured = Measured.by(state.driver)
    if measured.jobs and measured.errors >= measured.jobs:  # one that was cut short fails uncounted
        raise JobsFailed(FailedKind.EVERY_MEASURED, measured.first_failure)


def _decide_of_one_group(state: CheckState) -> None:
    """Decide, from the warm-up on: where others serve than before, all of it begins anew with them.

    Raises:
        TimeIsUp: the seconds are over.
        Regrouped: others serve again and again.
    """
    left = state.heuristics.cycles.regroupings
    while True:
        try:
            for phase in DECIDING:
                phase(state)
        except Regrouped:
            state.regrouped += 1
            if not left or not state.left_s():
                raise
            left -= 1
            state.stopped.clear()
        else:
            return


def _result(state: CheckState, verdict: Verdict, interval: Interval | None) -> CheckResult:
    series, measured = state.series, state.counted
    return CheckResult(
        target=state.target,
        verdict=verdict,
        interval=interval,
        tolerance=state.rules.tolerance,
        meter=state.meter or series.meter,
        jobs=measured.jobs,
        seconds=state.driver.seconds(),
        errors=measured.errors,
        failure=measured.first_failure,
        floors=tuple(zip(series.jobs, series.floors, strict=False)),  # an interrupt may fall between the two
        holders=state.holders,
        small_holders=state.small_holders,
        findings=state.findings,
        sites=state.sites,
        noted=tuple(state.notes),
        native=state.native,
    )
