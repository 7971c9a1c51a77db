"""Whether a service under its own traffic leaks: by what its holders keep and how long, for memory that never rests.

A holder leaks that keeps its oldest items, gets more of them as steadily at the end as at the beginning, is not filling
up to a declared bound, and has nothing around it that takes anything out. Everything is held against finished jobs, so
that swings, bursts and idle minutes of the traffic drop out; where nobody counts jobs, against hours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from labserver.diagnosis.decide.decision import Decision, coherent
from labserver.diagnosis.decide.observation import HOUR_S, Observation, Unit
from labserver.diagnosis.decide.observed_holder import QUIET, ObservedHolder, Standing, holder_of
from labserver.diagnosis.fact import Fact, Note, NoteKind, PartKind, Reason, ReasonKind
from labserver.diagnosis.verdict import Verdict
from labserver.stats.drift import drift
from labserver.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class ObservedThresholds:
    """What is decided on, and what is of interest.

    Attributes:
        looks: fewer decide nothing.
        jobs: fewer say nothing of what a job keeps.
        seconds: the same, where nobody counts jobs.
        large_bytes: an item from this size on, and from the tolerance on, is of interest however few jobs keep one.
        tolerance_share: the least part of the tolerance that is of interest of smaller ones.
        hourly_bytes: bytes an hour that are of interest however little of them a job keeps: 24 MiB a day. Where nobody
            counts jobs, the tolerance.
    """

    looks: int = 6
    jobs: int = 200
    seconds: float = 20.0
    large_bytes: float = 1024.0
    tolerance_share: float = 0.25
    hourly_bytes: float = 2.0**20


THRESHOLDS = ObservedThresholds()


@dataclass(frozen=True, slots=True)
class Observed:
    """What an observation says.

    Attributes:
        decision: with bytes per job, or per hour where nobody counts jobs.
        holders: that have gained something, the most bytes first.
        leaking: those of them that leak what is of interest; empty unless that is the verdict.
        unit: what the decision's interval is held against.
    """

    decision: Decision
    holders: tuple[ObservedHolder, ...]
    leaking: tuple[ObservedHolder, ...]
    unit: Unit


def observed(observation: Observation, *, tolerance: float, confidence: float, noise_bytes: float) -> Observed:
    """What an observation says.

    Args:
        observation: so far.
        tolerance: bytes per job below which growth is of no interest.
        confidence: of the intervals.
        noise_bytes: the least standard deviation of what a look sees of all objects.
    """
    holders = tuple(
        sorted(
            (holder_of(gain, observation, confidence) for gain in observation.gains),
            key=lambda one: -one.gain.gained_bytes,
        )
    )
    if observation.jobs is None:
        tolerance = THRESHOLDS.hourly_bytes
    leaking = [one for one in holders if one.standing is Standing.LEAKS and _is_worth(one, observation, tolerance)]
    whole = _rest(observation, holders, confidence, noise_bytes)
    if (few := _too_few(observation)) is not None:
        decision = Decision(Verdict.INCONCLUSIVE, whole, few, since=None)
    elif leaking:
        decision = _leak(leaking, observation, tolerance)
    else:
        decision = _without_a_leak(observation, holders, tolerance, whole)
    decision = coherent(decision, tolerance)
    shown = tuple(leaking) if decision.verdict is Verdict.LEAK else ()
    return Observed(decision, holders, shown, observation.unit)


def _without_a_leak(
    observation: Observation, holders: Sequence[ObservedHolder], tolerance: float, whole: Interval | None
) -> Decision:
    """What is said where no holder leaks: by all that is not seen to be let go of.

    Args:
        observation: so far.
        holders: what they are seen to do.
        tolerance: bytes per job or hour.
        whole: what all of that grows by.
    """
    suspect = next((one for one in holders if one.standing not in QUIET), None)
    if whole is None:
        return Decision(Verdict.INCONCLUSIVE, None, Reason(ReasonKind.FEW_LOOKS, {"looks": 0}), since=None)
    if whole.high < tolerance and any(_may_yet_be_one(one, observation, tolerance) for one in holders):
        return Decision(Verdict.INCONCLUSIVE, whole, Reason(ReasonKind.FEW_LARGE_ITEMS), since=None)
    if whole.high < tolerance:
        gained = [one for one in holders if one.standing not in QUIET and one.gain.item_bytes >= _large(tolerance)]
        return Decision(Verdict.NO_LEAK, whole, notes=tuple(_gained(one, observation) for one in gained), since=None)
    if suspect is not None and whole.estimate > 0:
        return Decision(Verdict.INCONCLUSIVE, whole, _reason(suspect), since=None)
    kind = ReasonKind.SPANS_TOLERANCE if tolerance in whole else ReasonKind.UNHELD
    return Decision(Verdict.INCONCLUSIVE, whole, Reason(kind), since=None)


def _too_few(observation: Observation) -> Reason | None:
    """Why nothing can be said yet; None where something can."""
    looks = len(observation.seconds)
    if looks < THRESHOLDS.looks:
        return Reason(ReasonKind.FEW_LOOKS, {"looks": looks})
    enough = THRESHOLDS.seconds / HOUR_S if observation.jobs is None else THRESHOLDS.jobs
    return Reason(ReasonKind.FEW_JOBS) if observation.done[-1] < enough else None


def _is_worth(holder: ObservedHolder, observation: Observation, tolerance: float) -> bool:
    """Whether what a holder keeps is of interest."""
    size = holder.bytes
    if size is None:
        return False
    hourly = size.estimate * observation.per_hour
    return (
        size.estimate >= THRESHOLDS.tolerance_share * tolerance
        or hourly >= THRESHOLDS.hourly_bytes
        or (observation.jobs is not None and holder.gain.item_bytes >= _large(tolerance))
    )


def _may_yet_be_one(holder: ObservedHolder, observation: Observation, tolerance: float) -> bool:
    """Whether a holder keeps what comes, of which there was too little so far for a trend, and what would be a leak."""
    unsure = holder.standing in {Standing.UNSURE, Standing.UNSEEN} and holder.rate is not None
    return unsure and _is_worth(holder, observation, tolerance)


def _large(tolerance: float) -> float:
    return max(THRESHOLDS.large_bytes, tolerance)


def _leak(leaking: Sequence[ObservedHolder], observation: Observation, tolerance: float) -> Decision:
    """A leak of what some holders keep together; named by its counts where the bytes are within the tolerance."""
    sizes = [size for one in leaking if (size := one.bytes) is not None]
    estimate = sum(size.estimate for size in sizes)
    half = math.sqrt(sum((size.high - size.estimate) ** 2 for size in sizes))
    interval = Interval(estimate, max(estimate - half, 0.0), estimate + half, sizes[0].confidence)
    notes = tuple(_doubt(one) for one in leaking if _may_be_doubted(one))
    if interval.low <= tolerance:
        found = _gained(leaking[0], observation)
        notes = (Note(_FOUND[observation.unit], found.arguments), *notes)
    return Decision(Verdict.LEAK, interval, notes=notes, since=None)


_FOUND = {Unit.JOB: NoteKind.FOUND_BY_COUNTING, Unit.HOUR: NoteKind.FOUND_IN_TIME}


def _may_be_doubted(holder: ObservedHolder) -> bool:
    removal = holder.gain.removal
    return removal is None or not removal.seen or removal.by is not None


def _doubt(holder: ObservedHolder) -> Note:
    removal = holder.gain.removal
    by = Fact(PartKind.NOT_SEEN)
    if removal is not None and removal.by is not None:
        by = Fact(PartKind.OUT_BY, {"by": removal.by})
    return Note(NoteKind.LASTED, {"path": holder.gain.path, "seconds": holder.oldest_s, "by": by})


def _gained(holder: ObservedHolder, observation: Observation) -> Note:
    gain = holder.gain
    told: dict[str, str | float | Fact] = {"path": gain.path, "items": gain.items, "item_bytes": gain.item_bytes}
    if observation.jobs is None:
        return Note(NoteKind.GAINED_IN_TIME, told | {"seconds": observation.seconds[-1]})
    return Note(NoteKind.GAINED, told | {"jobs": observation.jobs[-1]})


def _reason(holder: ObservedHolder) -> Reason:
    """Why growth that is most of it this holder's is no leak yet."""
    gain = holder.gain
    if holder.standing is Standing.FILLS:
        return Reason(ReasonKind.NOT_FULL, {"path": gain.path, "bound": gain.bound or 0})
    if holder.standing is Standing.MAY_EVICT:
        by = gain.removal.by if gain.removal is not None else None
        return Reason(ReasonKind.MAY_EVICT, {"path": gain.path, "by": by or "code of an extension"})
    if holder.standing is Standing.UNSEEN:
        return Reason(ReasonKind.UNSEEN_CODE, {"path": gain.path})
    if holder.standing is Standing.LETS_GO:
        return Reason(ReasonKind.LETS_GO)
    if holder.standing is Standing.SLOWS:
        return Reason(ReasonKind.SLOWS_DOWN)
    return Reason(ReasonKind.MAY_BE_A_CACHE)


def _rest(
    observation: Observation, holders: Sequence[ObservedHolder], confidence: float, noise_bytes: float
) -> Interval | None:
    """Bytes per job or hour of all objects but the items of holders that let go of them; None of fewer than three."""
    passing = [one.gain for one in holders if one.standing is Standing.PASSES]
    known = [at for at in range(len(observation.sizes)) if all(gain.looks[at] for gain in passing)]
    done = [observation.done[at] for at in known]
    sizes = [observation.sizes[at] - sum(gain.item_bytes * sum(gain.looks[at]) for gain in passing) for at in known]
    if len(done) < 3 or len(set(done)) < 2:
        return None
    return drift(done, sizes, confidence=confidence, noise_bytes=noise_bytes)
