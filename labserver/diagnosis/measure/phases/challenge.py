"""The challenge: what is suspected gets more jobs, at full speed, to show a bound or to let go of what it has.

A cache of keys that never repeat fills in a straight line, and nothing says beforehand that it will be full. So growth
is only called a leak that has gone on as far as what speaks for a bound makes it worth trying.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from labserver.diagnosis.decide.decision import Decision
from labserver.diagnosis.decide.evidence import Gain
from labserver.diagnosis.fact import Fact, Note, NoteKind, PartKind, Reason, ReasonKind
from labserver.diagnosis.measure.cycles import count_holders, run_cycles
from labserver.diagnosis.measure.state import CheckState
from labserver.diagnosis.verdict import Verdict

_HOPELESS = {ReasonKind.EXPIRES, ReasonKind.NO_SLOPE, ReasonKind.FEW_FLOORS, ReasonKind.NOT_COUNTED}
_CACHE_LIKE = {ReasonKind.MAY_BE_A_CACHE, ReasonKind.SLOWS_DOWN, ReasonKind.SPANS_TOLERANCE, ReasonKind.NEAR_TOLERANCE}


@dataclass(frozen=True, slots=True)
class Dare:
    """What a challenge asks for.

    Attributes:
        jobs: to be run, at most.
        seconds: for them.
        suspects: the holders that explain the growth; empty where none do.
        bound: what the first of them declares to keep at most, where it is to be filled up to that.
        is_little: whether it is less than the options allow, since nothing speaks for a bound.
    """

    jobs: int
    seconds: float
    suspects: tuple[Gain, ...]
    bound: int | None = None
    is_little: bool = False


class _End(Enum):
    DECIDED = auto()
    STOPS = auto()
    """The growth has come to an end, so that it can be measured anew without it."""
    OVER = auto()


def challenge(state: CheckState) -> None:
    """Challenge growth that is called a leak, or may be one, and measure anew where it ends."""
    if state.driver.errors >= state.driver.jobs:
        return
    left_s, rounds = _seconds(state), state.heuristics.challenging.rounds
    for _ in range(rounds):
        dare = _dare(state, left_s)
        if dare is None:
            return
        began = state.driver.seconds()
        end = _take(state, dare)
        left_s -= 0 if dare.bound else state.driver.seconds() - began
        if end is _End.STOPS:
            state.decision = run_cycles(state, filled=True)
        elif end is _End.DECIDED or not (dare.is_little or dare.bound):
            return
        elif dare.is_little and state.decision.verdict is not Verdict.INCONCLUSIVE:
            return


def _seconds(state: CheckState) -> float:
    share = state.heuristics.challenging.fast_share if state.options.fast else 1.0
    return share * state.options.challenge_seconds


def _dare(state: CheckState, left_s: float) -> Dare | None:
    """What to ask of the growth that the decision is about; None where there is none, or nothing more to be learnt."""
    decision, figures = state.decision, state.heuristics.challenging
    reason = decision.reason
    if decision.verdict is Verdict.NO_LEAK or (reason is not None and reason.kind in _HOPELESS):
        return None
    suspects, jobs = state.series.suspects(), max(state.series.jobs[-1], 1)
    if decision.fills:
        return _filling(state, suspects)
    beyond = [one.path for one in suspects if one.path in state.series.beyond_memory]
    if beyond and decision.verdict is Verdict.LEAK:
        bound, size = state.series.beyond_memory[beyond[0]]
        state.notes.append(Note(NoteKind.BEYOND_MEMORY, {"path": beyond[0], "bound": bound, "bytes": size}))
        return None
    share = figures.fast_share if state.options.fast else 1.0
    entries, seconds = share * state.options.challenge, left_s
    is_little = decision.verdict is Verdict.LEAK and not _may_remove(suspects)
    if is_little:
        entries, seconds = min(entries, share * figures.little), min(seconds, share * figures.little_s)
    if any(one.removal is not None and one.removal.runs for one in suspects):
        seconds *= figures.runs
    per_job = max((one.items / jobs for one in suspects), default=1.0)
    more = min(int(entries / max(per_job, 1.0)) - jobs, figures.most_jobs * state.options.max_jobs)
    seconds = min(seconds, figures.filling_share * state.left_s())
    return Dare(more, seconds, suspects, is_little=is_little) if more > 0 and seconds > 0 else None


def _may_remove(suspects: Sequence[Gain]) -> bool:
    """Whether something may let go of what the suspects hold, by what can be seen of the code around them."""
    seen = [one.removal for one in suspects]
    return not seen or any(one is None or not one.seen or one.by is not None for one in seen)


def _filling(state: CheckState, suspects: tuple[Gain, ...]) -> Dare | None:
    """The jobs up to a declared bound; None, and undecided, where there is no time for so many."""
    figures, jobs = state.heuristics.challenging, max(state.series.jobs[-1], 1)
    filling = [one for one in suspects if one.is_filling and one.bound is not None]
    if not filling:
        return None
    needed = [figures.margin * one.room * jobs / one.items + state.plan.cycle for one in filling]
    most = max(range(len(filling)), key=needed.__getitem__)
    cache, more = filling[most], int(needed[most])
    seconds, left_s = more / state.plan.jobs_per_s, state.left_s()
    if more > figures.most_jobs * state.options.max_jobs:
        option = ("--max-jobs", -(-more // figures.most_jobs))
    elif seconds > figures.filling_share * left_s:
        option = ("--max-seconds", int(state.options.max_seconds + 2 * seconds))
    else:
        return Dare(more, left_s, (cache,), cache.bound)
    why = Reason(ReasonKind.NOT_FULL, {"path": cache.path, "bound": cache.bound or 0})
    state.decision = replace(state.decision, reason=why)
    state.notes.append(Note(NoteKind.NEXT, {"option": option[0], "value": option[1]}))
    return None


def _take(state: CheckState, dare: Dare) -> _End:
    """Run the jobs, with ever more of them between two floors, until the answer is known or they are done."""
    driver, series, called = state.driver, state.series, state.decision
    until = driver.seconds() + dare.seconds
    first = series.jobs[-1]
    driver.name(_title(dare))
    paces: list[float] = []
    if series.counted_at[-1:] != [first]:
        count_holders(state)
    while (jobs := _next_step(state, first + dare.jobs)) > 0 and driver.seconds() < until:
        _drive(state, jobs, until)
        if state.driver.jobs == series.jobs[-1]:
            break
        series.add(driver.jobs, state.floors.take())
        count_holders(state)
        state.decision = series.decide(final=True)
        driver.interval = state.decision.interval
        driver.say()
        if state.decision.verdict is Verdict.NO_LEAK:
            return _End.DECIDED
        pace = _pace(state, dare, first)
        paces += [] if pace is None else [pace]
        if pace is not None and pace < state.heuristics.challenging.stops and not _fell(pace, dare):
            _remember_stop(state, dare)
            return _End.STOPS
    if dare.bound is not None:
        if series.histories.length_of(dare.suspects[0].path) >= state.heuristics.challenging.full * dare.bound:
            _remember_stop(state, dare)
            return _End.STOPS
        if state.decision.fills:
            why = Reason(ReasonKind.NOT_FULL, {"path": dare.suspects[0].path, "bound": dare.bound})
            state.decision = replace(state.decision, reason=why)
    elif series.jobs[-1] > first:
        _conclude(state, dare, called, paces)
    return _End.OVER


def _title(dare: Dare) -> str:
    if dare.bound is not None:
        return f"filling {dare.suspects[0].path} up to its bound of {dare.bound:,}"
    return f"challenging {dare.suspects[0].path}" if dare.suspects else "challenging the growth"


def _remember_stop(state: CheckState, dare: Dare) -> None:
    """Take what has come to an end for a bound, with some room, where none was declared."""
    if dare.bound is not None:
        state.notes.append(Note(NoteKind.FILLED, {"path": dare.suspects[0].path, "bound": dare.bound}))
        return
    for one in dare.suspects:
        entries = state.series.histories.length_of(one.path)
        state.stopped[one.path] = int(state.heuristics.challenging.again * entries)
        state.notes.append(Note(NoteKind.STOPPED, {"path": one.path, "entries": entries}))


def _fell(pace: float, dare: Dare) -> bool:
    """Whether something was let go of that will come again: to measure anew would begin with it anew."""
    return pace < 0 and any(one.looks for one in dare.suspects)


def _next_step(state: CheckState, last: int) -> int:
    """The jobs to the next floor: as many as there were so far, and no more than memory allows."""
    figures, series = state.heuristics.challenging, state.series
    jobs, grown = max(series.jobs[-1], 1), max(series.grown, 1)
    room = min(figures.most_bytes, figures.memory_share * state.most_bytes) - grown
    return int(min(max(jobs, state.plan.cycle), last - jobs, room * jobs / grown))


def _drive(state: CheckState, jobs: int, until: float) -> None:
    """Run so many jobs, a second's worth at a time, for as long as there is time."""
    driver, rate = state.driver, state.plan.jobs_per_s
    end = driver.jobs + jobs
    while driver.jobs < end and driver.seconds() < until:
        began, before = driver.seconds(), driver.jobs
        driver.drive(min(max(int(rate), driver.concurrency), end - driver.jobs))
        rate = (driver.jobs - before) / max(driver.seconds() - began, 1e-3)


def _pace(state: CheckState, dare: Dare, first: int) -> float | None:
    """The growth a job since the last floor, as a part of what it was before; None where too little was to come."""
    figures, series = state.heuristics.challenging, state.series
    at = series.jobs.index(first)
    if dare.suspects and first in series.counted_at and state.can_look:
        counts = [series.histories.counts_of(one.path) for one in dare.suspects]
        now, before, then = (sum(each[k] for each in counts) for k in (-1, -2, series.counted_at.index(first)))
        least: float = figures.telling_items
        jobs = (series.counted_at[-1], series.counted_at[-2])
    else:
        now, before, then = series.floors[-1], series.floors[-2], series.floors[at] - series.floors[0]
        least = figures.telling_noise * state.rules.noise_bytes
        jobs = (series.jobs[-1], series.jobs[-2])
    expected = then / max(first, 1) * (jobs[0] - jobs[1])
    return (now - before) / expected if expected >= least else None


def _conclude(state: CheckState, dare: Dare, called: Decision, paces: Sequence[float]) -> None:
    """What a challenge says that is over without a bound: a leak stays one if it goes on as it began."""
    figures, decision, series = state.heuristics.challenging, state.decision, state.series
    slower = bool(paces) and paces[-1] < figures.goes_on
    if decision.verdict is Verdict.LEAK and slower:
        state.decision = Decision(Verdict.INCONCLUSIVE, decision.interval, Reason(ReasonKind.SLOWS_DOWN))
        return
    steady = bool(paces) and min(paces) >= figures.goes_on and called.verdict is Verdict.LEAK
    reason, interval = decision.reason, decision.interval
    unsure = reason is not None and reason.kind in _CACHE_LIKE
    if steady and unsure and interval is not None and interval.low > state.rules.tolerance:
        state.decision = decision = replace(called, interval=interval)
    if decision.verdict is not Verdict.LEAK:
        return
    if not dare.suspects:
        grown: dict[str, str | float] = {"jobs": series.jobs[-1], "bytes": series.grown}
        state.notes.append(Note(NoteKind.CHALLENGED_BYTES, grown))
        return
    first = dare.suspects[0]
    entries = series.histories.items_of(first.path)
    although = Fact(PartKind.NOBODY)
    if first.removal is not None and first.removal.by is not None:
        although = Fact(PartKind.ALTHOUGH, {"by": first.removal.by})
    elif first.removal is not None and not first.removal.seen:
        although = Fact(PartKind.UNSEEN)
    told: dict[str, str | float | Fact] = {"path": first.path, "entries": entries, "bytes": entries * first.item_bytes}
    state.notes.append(Note(NoteKind.CHALLENGED, told | {"although": although}))
