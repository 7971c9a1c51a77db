"""Looks at a service under its own traffic, for as long as was asked for: no load, no rest, and no harm."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from labserver.diagnosis.decide.observed import Observed
from labserver.diagnosis.decide.observed_holder import QUIET
from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind, said
from labserver.diagnosis.measure.look_pace import LookPace
from labserver.diagnosis.measure.observed_series import CountOutside, ObservedSeries
from labserver.diagnosis.measure.options import CheckOptions, CheckProgress, OnProgress
from labserver.diagnosis.measure.traced_pass import TRACED
from labserver.diagnosis.verdict import Verdict
from labserver.errors import CannotLook, CannotRun
from labserver.heap.budget import memory_limit
from labserver.heap.wire import FinishedJobs
from labserver.targets.instrumented import Regrouped, Target
from labserver.targets.one_process import open_to_look
from labserver.targets.target import parse_target

if TYPE_CHECKING:
    from labserver.heap.heap_growth import HolderGrowth

_SLICE_S = 0.5
_AGAIN_S = 1.0  # until a service that has ended is looked for again
_FAILURES = 3  # looks, one after another, after which the next would fail as well
_TRACED_S = 10.0  # of the window for the lines: under tracing a service may be several times as slow


class Observer:
    """An observation.

    Args:
        options: with `observe`.
        report: gets the progress.
        outside: reads the jobs that a counter outside of the process has counted; None to ask the process.
        counted_by: what that counter is called.

    Attributes:
        pace: how often the process is looked at, and what that costs.
        notes: what should be known beside the verdict.
        restarts: how often another process took the place of the one that was looked at.
        lines: of the holders' items, by the holder's fingerprint; empty unless they were asked for.
    """

    def __init__(
        self, options: CheckOptions, report: OnProgress, *, outside: CountOutside | None = None, counted_by: str = ""
    ) -> None:
        self._options = options
        self._report = report
        self._outside, self._outside_name = outside, counted_by
        self._observe_s = options.observe or 0.0
        self._series: list[ObservedSeries] = []
        self.began = time.monotonic()
        self.pace = LookPace(self._observe_s, options.every, options.stall_ms or 0.0)
        self.notes: list[Note] = []
        self.restarts = 0
        self.lines: dict[str, HolderGrowth] = {}
        self.stalls = False

    def run(self) -> None:
        """Look until the time is over, at whichever process serves.

        Raises:
            CannotRun: there is no service, or none that can be looked into.
        """
        self._say("finding the service")
        while not self._is_done():
            self._say("waiting for the service to come back")
            time.sleep(_AGAIN_S)

    def _is_done(self) -> bool:
        """Whether there is nothing more to be seen, after what serves just now was looked at up to its end or ours."""
        try:
            with open_to_look(self._options.target, attach_s=self._options.attach_s) as process:
                self._watch(process)
        except Regrouped:  # of several workers one is another by now: those are a series of their own
            return self._left_s() <= _AGAIN_S
        except CannotRun as error:
            if not self._seen:
                raise
            over = self._left_s() <= _AGAIN_S or not self._may_come_back()
            if over:
                self.notes.append(Note(NoteKind.ENDED, {"seconds": self.seconds(), "why": _without_stop(error)}))
            return over
        return True

    def seconds(self) -> float:
        """Since it all began."""
        return time.monotonic() - self.began

    @property
    def series(self) -> ObservedSeries | None:
        """Of the process that the answer is about: one that leaks, or else the one that was seen for longest."""
        known = [one for one in self._series if one.seconds]
        leaking = [one for one in known if one.observed(self._options).decision.verdict is Verdict.LEAK]
        return max(leaking or known, key=lambda one: one.seconds[-1], default=None)

    def observed(self, series: ObservedSeries) -> Observed:
        """What the looks at one process say; nothing is decided by looks that had to be given up."""
        found = series.observed(self._options)
        if self.stalls and found.decision.verdict is Verdict.INCONCLUSIVE:
            told = {"stall_ms": self.pace.stall_ms, "allowed_ms": self.pace.allowed_stall_ms}
            return replace(found, decision=found.decision.undecided(Reason(ReasonKind.STALLS, told)))
        return found

    @property
    def _seen(self) -> bool:
        return any(one.seconds for one in self._series)

    def _may_come_back(self) -> bool:
        """Whether another process may serve in the place of one that has ended: not where that one was named."""
        return parse_target(self._options.target).address is not None

    def _watch(self, process: Target) -> None:
        if self._seen:
            self.restarts += 1
        series = ObservedSeries(float(self._options.budget or memory_limit()))
        self._series.append(series)
        self._begin(process, series)
        self._look_on(process, series)
        if self._options.sites and not self.stalls:
            self._trace(process, series)

    def _begin(self, process: Target, series: ObservedSeries) -> None:
        """Remember the heap as it is, and look once: what looking itself brings is no growth."""
        self._say("looking for the first time")
        taken = process.baseline(stall_ms=self.pace.allowed_stall_ms)
        self.pace.add(taken.cost)
        self.notes += [note for note in said(*process.notes, *taken.notes) if note not in self.notes]
        jobs, at_s = self._count_outside(), time.monotonic()
        growth = process.growth()
        self.pace.add(growth.cost)
        series.begin(at_s, growth, jobs if self._outside is not None else growth.jobs)
        try:
            series.limit = process.limit()
        except CannotRun:  # an older version of the instruments does not tell
            series.limit = None

    def _look_on(self, process: Target, series: ObservedSeries) -> None:
        failures, due = 0, time.monotonic() + self.pace.every_s
        while self._left_s() > 0 and not self.stalls:
            self._wait(process, min(due, self._until()))
            due = time.monotonic() + self.pace.every_s
            try:
                self._look(process, series)
                failures = 0
            except CannotLook as error:
                failures += 1
                if failures == _FAILURES:
                    self.notes.append(Note(NoteKind.NO_LOOK, {"why": str(error)}))
                    return
            self.stalls = self.pace.stalls
            self._say("observing")

    def _look(self, process: Target, series: ObservedSeries) -> None:
        jobs, at_s = self._count_outside(), time.monotonic()
        growth = process.growth()
        self.pace.add(growth.cost)
        series.add(at_s, growth, jobs if self._outside is not None else growth.jobs)
        try:
            series.limit = process.limit() if series.limit is not None else None
        except CannotRun:
            series.limit = None

    def _wait(self, process: Target, until: float) -> None:
        """Wait, and watch meanwhile whether the process lives.

        Raises:
            CannotRun: it has ended.
        """
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_S))
            if not process.alive():
                raise process.death()

    def _trace(self, process: Target, series: ObservedSeries) -> None:
        """The lines that allocate what holders keep, from a short window under tracing."""
        if all(one.standing in QUIET for one in series.observed(self._options).holders):
            return
        self._say("tracing for the lines")
        try:
            process.trace(TRACED.frames)
            process.baseline()
            self._wait(process, time.monotonic() + _TRACED_S)
            growth = process.growth()
        except CannotLook as error:
            self.notes.append(Note(NoteKind.NO_LINES, {"why": str(error)}))
            return
        finally:
            if process.alive():
                process.trace(0)
        self.lines = {one.fingerprint: one for one in growth.holders if one.allocated_at}
        self.notes.append(Note(NoteKind.LINES_OBSERVED, {"seconds": _TRACED_S, "frames": TRACED.frames}))

    def _count_outside(self) -> FinishedJobs | None:
        count = None if self._outside is None else self._outside()
        return None if count is None else FinishedJobs(int(count), self._outside_name)

    def _until(self) -> float:
        return self.began + self._observe_s

    def _left_s(self) -> float:
        return self._until() - time.monotonic()

    def _say(self, phase: str) -> None:
        series = self._series[-1] if self._series else None
        jobs = 0 if series is None else series.jobs_done
        self._report(CheckProgress(phase, jobs, self.seconds()))


def _without_stop(error: Exception) -> str:
    return str(error).removesuffix(".")
