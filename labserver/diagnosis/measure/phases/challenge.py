"""The challenge: what is suspected gets more jobs, at full speed, to show a bound or to let go of what it has.

A cache of keys that never repeat fills in a straight line, and nothing says beforehand that it will be full. So growth
is only called a leak that has gone on as far as what speaks for a bound makes it worth trying.
"""

import math
from dataclasses import replace
from enum import Enum, auto

from labserver.diagnosis.fact import Fact, Note, NoteKind, PartKind, Reason, ReasonKind
from labserver.diagnosis.measure.cycles import count_holders, run_cycles
from labserver.diagnosis.measure.dare import Dare, dare_of
from labserver.diagnosis.measure.state import CheckState
from labserver.diagnosis.verdict import Verdict

# Of more jobs, for these reasons the decision may become unsure of a leak that goes on as it began.
_UNSURE = {ReasonKind.MAY_BE_A_CACHE, ReasonKind.SLOWS_DOWN, ReasonKind.SPANS_TOLERANCE, ReasonKind.NEAR_TOLERANCE}


class _End(Enum):
    DECIDED = auto()
    STOPS = auto()
    """The growth has come to an end, so that it can be measured anew without it."""
    OVER = auto()


def challenge(state: CheckState) -> None:
    """Challenge growth that is called a leak, or may be one, and measure anew where it ends."""
    if state.driver.errors >= state.driver.jobs:
        return
    beyond = state.heuristics.challenging.again * _challenge_in_rounds(state)
    if state.decision.verdict is Verdict.LEAK and beyond and state.series.grown <= beyond:
        state.decision = state.decision.undecided(Reason(ReasonKind.COMES_BACK))


def _challenge_in_rounds(state: CheckState) -> float:
    """Challenge for as long as there is something to ask for.

    Returns:
        The bytes above which growth that nobody holds has to come to be more than what is filled again: the most that
        there were when such growth stopped, 0 where none did. Infinite where the last round ended so: whether what has
        come since goes on, nobody has seen.
    """
    figures, left_s, stopped = state.heuristics.challenging, state.options.challenge_seconds, 0.0
    end = None
    for _ in range(figures.rounds):
        dare = dare_of(state, left_s)
        if dare is None:
            return stopped
        began, grown = state.driver.seconds(), state.series.most_grown
        end = _Challenge(state, dare).run()
        left_s -= 0 if dare.bound else state.driver.seconds() - began
        if end is _End.STOPS:
            stopped = stopped if dare.suspects else max(stopped, grown, state.series.most_grown)
            state.decision = run_cycles(state, filled=True)
        elif end is _End.DECIDED or not _goes_further(state, dare):
            return stopped
    return math.inf if end is _End.STOPS else stopped


def _goes_further(state: CheckState, dare: Dare) -> bool:
    """Whether there is more to ask for: beyond a declared bound, or where a little has made a leak unsure."""
    return dare.bound is not None or (dare.is_little and state.decision.verdict is Verdict.INCONCLUSIVE)


class _Challenge:
    """One challenge.

    Args:
        state: of the check; its series goes on.
        dare: what is asked for.
    """

    def __init__(self, state: CheckState, dare: Dare) -> None:
        self._state = state
        self._dare = dare
        self._figures = state.heuristics.challenging
        self._called = state.decision
        self._first = state.series.jobs[-1]
        self._until = state.driver.seconds() + dare.seconds
        self._paces: list[float] = []

    def run(self) -> _End:
        """Run the jobs, with ever more of them between two floors, until the answer is known or they are done.

        Raises:
            TimeIsUp: the check has run out of seconds.
        """
        state, dare = self._state, self._dare
        state.driver.name(dare.title)
        if state.series.histories.jobs[-1:] != [self._first]:
            count_holders(state)
        while not self._is_over():
            self._step()
            if state.decision.verdict is Verdict.NO_LEAK:
                return _End.DECIDED
            if self._stops():
                return self._stopped()
        state.decision = state.series.decide(final=True)
        if dare.bound is None:
            self._conclude()
            return _End.OVER
        if state.series.histories.length_of(dare.suspects[0].path) >= self._figures.full * dare.bound:
            return self._stopped()
        if state.decision.fills:
            why = Reason(ReasonKind.NOT_FULL, {"path": dare.suspects[0].path, "bound": dare.bound})
            state.decision = replace(state.decision, reason=why)
        return _End.OVER

    def _is_over(self) -> bool:
        lets_go = any(one.lets_go for one in self._state.series.suspects())
        waits = self._dare.bound is None and (self._dare.waits or lets_go)
        return self._state.driver.seconds() >= self._until or (self._next_jobs() <= 0 and not waits)

    def _next_jobs(self) -> int:
        """The jobs to the next floor: as many as there were so far, and no more than memory allows."""
        series, figures = self._state.series, self._figures
        jobs, grown = max(series.jobs[-1], 1), max(series.grown, 1)
        room = min(figures.most_bytes, figures.memory_share * self._state.most_bytes) - grown
        last, threads = self._first + self._dare.jobs, max(series.threads_left, 1)
        most = min(room / grown, (figures.most_threads - threads) / threads) if threads > 1 else room / grown
        return int(min(max(jobs, self._state.plan.cycle), last - jobs, most * jobs))

    def _step(self) -> None:
        """Run jobs, or wait where they are done, and take a floor and a look."""
        state, driver = self._state, self._state.driver
        if (jobs := self._next_jobs()) > 0:
            self._drive(jobs)
        else:
            driver.rest(max(min(self._figures.wait_s, self._until - driver.seconds()), 0.0))
            driver.drive(driver.concurrency)  # the floors are told apart by their jobs
        state.series.add(driver.jobs, state.floors.take())
        count_holders(state)
        state.decision = state.series.decide(final=self._is_over())
        driver.interval = state.decision.interval
        driver.say()

    def _drive(self, jobs: int) -> None:
        """Run so many jobs, a second's worth at a time, for as long as there is time."""
        driver, rate = self._state.driver, self._state.plan.jobs_per_s
        end = driver.jobs + jobs
        while driver.jobs < end:
            began, before = driver.seconds(), driver.jobs
            driver.drive(min(max(int(rate), driver.concurrency), end - driver.jobs))
            rate = (driver.jobs - before) / max(driver.seconds() - began, 1e-3)
            if driver.seconds() >= self._until:
                break

    def _stops(self) -> bool:
        """Whether what has grown grows no further; what was let go of will come again, and is watched on."""
        pace = self._pace()
        if pace is None:
            return False
        self._paces.append(pace)
        fell = pace < 0 and any(one.looks for one in self._dare.suspects)
        return pace < self._figures.stops and not fell

    def _pace(self) -> float | None:
        """The growth a job since the last floor, as a part of what it was before; None where chance may make it less.

        What passes is left out: beside it something may go on.
        """
        series, histories = self._state.series, self._state.series.histories
        if self._dare.suspects and self._first in histories.jobs and self._state.can_look:
            paths = {one.path for one in (*self._dare.suspects, *series.suspects())}
            counts = [histories.counts_of(path) for path in paths - {one.path for one, _ in histories.passing(0.0)}]
            jobs, now, before = histories.jobs, sum(each[-1] for each in counts), sum(each[-2] for each in counts)
            part = (jobs[-1] - jobs[-2]) / max(jobs[-2], 1)
            # As counts of rare events, both before and now.
            error = self._figures.telling_errors * math.sqrt(max(before * part * (1 + part), 1.0))
        else:
            jobs, now, before = series.jobs, series.grown, series.floors[-2] - series.floors[0]
            part = (jobs[-1] - jobs[-2]) / max(jobs[-2], 1)
            error = self._figures.telling_noise * self._state.rules.noise_bytes
        expected = before * part
        lacking = expected - (now - before)
        return 1 - lacking / expected if expected > 0 and (lacking <= 0 or lacking > error) else None

    def _stopped(self) -> _End:
        """Take what has come to an end for a bound, with some room, where none was declared."""
        state, dare = self._state, self._dare
        if dare.bound is not None:
            state.notes.append(Note(NoteKind.FILLED, {"path": dare.suspects[0].path, "bound": dare.bound}))
            return _End.STOPS
        for one in dare.suspects:
            entries = state.series.histories.length_of(one.path)
            state.stopped[one.path] = int(self._figures.again * entries)
            state.notes.append(Note(NoteKind.STOPPED, {"path": one.path, "entries": entries}))
        return _End.STOPS

    def _conclude(self) -> None:
        """What a challenge says that is over without a bound: a leak stays one if it goes on as it began."""
        state, decision, paces = self._state, self._state.decision, self._paces
        if state.series.jobs[-1] == self._first:
            return
        interval, reason = decision.interval, decision.reason
        if decision.verdict is Verdict.LEAK and paces and paces[-1] < self._figures.goes_on:
            state.decision = decision.undecided(Reason(ReasonKind.SLOWS_DOWN))
            return
        steady = bool(paces) and min(paces) >= self._figures.goes_on and self._called.verdict is Verdict.LEAK
        sure = interval is not None and interval.low > state.rules.tolerance
        if steady and sure and reason is not None and reason.kind in _UNSURE:
            state.decision = replace(self._called, interval=interval, since=decision.since)
        if state.decision.verdict is Verdict.LEAK:
            state.notes.append(self._tried())

    def _tried(self) -> Note:
        """What was tried before it was called a leak."""
        series = self._state.series
        if not self._dare.suspects:
            return Note(NoteKind.CHALLENGED_BYTES, {"jobs": series.jobs[-1], "bytes": series.grown})
        holder = self._dare.suspects[0]
        although, entries = Fact(PartKind.NOBODY), series.histories.counts_of(holder.path)[-1]
        if holder.removal is not None and holder.removal.by is not None:
            although = Fact(PartKind.ALTHOUGH, {"by": holder.removal.by})
        elif holder.removal is not None and not holder.removal.seen:
            although = Fact(PartKind.UNSEEN)
        size = entries * holder.item_bytes
        return Note(NoteKind.CHALLENGED, {"path": holder.path, "entries": entries, "bytes": size, "although": although})
