"""Whether a service under its own traffic leaks: by what its holders keep and how long, for memory that never rests.

A holder leaks that keeps its oldest items, gets more of them as steadily at the end as at the beginning, is not filling
up to a declared bound, and has nothing around it that takes anything out. Everything is held against finished jobs, so
that swings, bursts and idle minutes of the traffic drop out; where nobody counts jobs, against hours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from labserver.diagnosis.decide.decision import Decision, coherent
from labserver.diagnosis.decide.evidence import Gain
from labserver.diagnosis.decide.lasting import THRESHOLDS as LASTING
from labserver.diagnosis.decide.lasting import Lasting
from labserver.diagnosis.decide.steadiness import Fading
from labserver.diagnosis.fact import Fact, Note, NoteKind, PartKind, Reason, ReasonKind
from labserver.diagnosis.verdict import Verdict
from labserver.stats.drift import drift
from labserver.stats.interval import Interval
from labserver.stats.line import Line
from labserver.stats.student import t_quantile

_HOUR_S = 3600.0


class Unit(StrEnum):
    """What growth is held against."""

    JOB = "job"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class ObservedThresholds:
    """What is believed of holders under traffic; tests/unit/diagnosis/decide/test_observed.py simulates them.

    Attributes:
        looks: fewer decide nothing.
        jobs: fewer say nothing of what a job keeps.
        seconds: the same, where nobody counts jobs.
        slowing: by how much less, over the whole time and as a part of the mean, growth may become and still go on.
        sure_slowing: standard errors by which it must have become less than that to be slowing down. With 1.28, one
            leak in twenty of 120 items is doubted.
        may_slow: by how much less it may have become at most, to be steady.
        sure_steady: standard errors for that.
        regular: the least variance of counts, in units of their mean: what is seen to be exact may be luck.
        caution: the seen variance is multiplied by this where it is less than that of chance.
        pattern: parts from which on it is believed.
        miscount: items that a swap, or a request that takes long, may hold at either end.
        unseen_items: that must last where not all code around their holder could be read.
        unseen_s: seconds that the oldest of them must have lasted.
        patience_s: seconds that the oldest items must have lasted where the code around them can take some out: by then
            it would have, unless it never does. Sessions live for half an hour, mostly.
        runs: the same as a factor, where that code comes by itself, as a thread that sweeps once a day.
        large_bytes: an item from this size on, and from the tolerance on, is of interest however few jobs keep one.
        tolerance_share: the least part of the tolerance that is of interest of smaller ones.
        hourly_bytes: bytes an hour that are of interest however little of them a job keeps: 24 MiB a day. Where nobody
            counts jobs, the tolerance.
    """

    looks: int = 6
    jobs: int = 200
    seconds: float = 20.0
    slowing: float = 0.25
    sure_slowing: float = 1.64
    may_slow: float = 2.0
    sure_steady: float = 2.6
    regular: float = 0.02
    caution: float = 3.0
    pattern: int = 5
    miscount: int = 1
    unseen_items: int = 100
    unseen_s: float = 120.0
    patience_s: float = _HOUR_S
    runs: float = 4.0
    large_bytes: float = 1024.0
    tolerance_share: float = 0.25
    hourly_bytes: float = 2.0**20


THRESHOLDS = ObservedThresholds()


class Standing(StrEnum):
    """What a holder is seen to do."""

    LEAKS = "leaks"
    FILLS = "fills"
    """It declares a bound and has not reached it."""
    MAY_EVICT = "may-evict"
    """It has kept all so far, and the code around it can take something out."""
    UNSEEN = "unseen"
    """The same, where that code could not all be read."""
    SLOWS = "slows"
    UNSURE = "unsure"
    LETS_GO = "lets-go"
    """It lets go of some of its items, of too few to say what becomes of the others."""
    PASSES = "passes"
    """What it gets goes again."""
    STANDS = "stands"
    """It keeps next to nothing of what comes."""


QUIET = frozenset({Standing.PASSES, Standing.STANDS})
"""What speaks for no leak."""


@dataclass(frozen=True)
class Observation:
    """What was seen since the baseline.

    Attributes:
        seconds: at each look, ascending.
        jobs: finished by then; None where nobody counts them.
        sizes: bytes of all objects beyond those of the baseline, without what waits for the collector.
        gains: the holders that keep more than at the baseline, with their cohorts at each look.
    """

    seconds: tuple[float, ...]
    jobs: tuple[int, ...] | None
    sizes: tuple[float, ...]
    gains: tuple[Gain, ...] = ()

    @property
    def unit(self) -> Unit:
        """What growth is held against."""
        return Unit.HOUR if self.jobs is None else Unit.JOB

    @cached_property
    def done(self) -> tuple[float, ...]:
        """How much was done by each look, in jobs or in hours."""
        return tuple(each / _HOUR_S for each in self.seconds) if self.jobs is None else tuple(map(float, self.jobs))

    @property
    def hours(self) -> float:
        """Of the whole observation."""
        return self.seconds[-1] / _HOUR_S if self.seconds else 0.0

    @property
    def per_hour(self) -> float:
        """Units in an hour, on the average: jobs, or 1."""
        return self.done[-1] / self.hours if self.hours else 0.0


@dataclass(frozen=True, slots=True)
class ObservedHolder:
    """What one holder is seen to do.

    Attributes:
        gain: what it has gained.
        standing: what that means.
        rate: items that last, for each job or hour; None where it gets none that do.
        oldest_s: seconds that the oldest of those that came since the baseline have been there.
        let_go: items that it let go of after they had stayed for a look.
    """

    gain: Gain
    standing: Standing
    rate: Interval | None = None
    oldest_s: float = 0.0
    let_go: int = 0

    @property
    def bytes(self) -> Interval | None:
        """The same in bytes."""
        size = self.gain.item_bytes
        return None if self.rate is None or size <= 0 else self.rate.scaled(size)


@dataclass(frozen=True, slots=True)
class Observed:
    """What an observation says.

    Attributes:
        decision: with bytes per job, or per hour where nobody counts jobs.
        holders: that have gained something, the most bytes first.
        unit: what the decision's interval is held against.
    """

    decision: Decision
    holders: tuple[ObservedHolder, ...]
    unit: Unit

    @property
    def leaking(self) -> tuple[ObservedHolder, ...]:
        """The holders that leak."""
        return tuple(one for one in self.holders if one.standing is Standing.LEAKS)


@dataclass(frozen=True, slots=True)
class _Part:
    """What lasts of the items that came between two looks: their middle, how much was done meanwhile, and how many."""

    middle: float
    done: float
    items: int


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
    decision = _decided(observation, holders, tolerance, confidence, noise_bytes)
    return Observed(coherent(decision, tolerance), holders, observation.unit)


def holder_of(gain: Gain, observation: Observation, confidence: float) -> ObservedHolder:
    """What a holder is seen to do."""
    lasting = Lasting(gain.looks)
    if not lasting.last:
        return ObservedHolder(gain, Standing.UNSURE)
    if lasting.came < LASTING.items:
        return ObservedHolder(gain, Standing.STANDS)
    if lasting.age is None:
        return ObservedHolder(gain, Standing.PASSES if lasting.passes else Standing.LETS_GO, let_go=lasting.let_go)
    parts = _parts(gain, lasting, lasting.age, observation)
    if not parts:
        return ObservedHolder(gain, Standing.STANDS, let_go=lasting.let_go)
    found = ObservedHolder(
        gain,
        Standing.LEAKS,
        _rate(parts, confidence),
        _oldest_s(gain, lasting, lasting.age, observation),
        lasting.let_go,
    )
    return replace(found, standing=_standing(found, parts))


def _standing(holder: ObservedHolder, parts: Sequence[_Part]) -> Standing:
    """What a holder does that keeps all that has come to a certain age."""
    if holder.gain.is_filling:
        return Standing.FILLS
    pace = _pace(parts)
    if pace is not Standing.LEAKS:
        return pace
    if holder.rate is None or holder.rate.low <= 0:
        return Standing.UNSURE
    removal, items = holder.gain.removal, sum(part.items for part in parts)
    if removal is not None and (removal.by is not None or removal.runs or removal.opaque):
        patience_s = THRESHOLDS.patience_s * (THRESHOLDS.runs if removal.runs else 1.0)
        return Standing.LEAKS if holder.oldest_s >= patience_s else Standing.MAY_EVICT
    if removal is None or not removal.seen:
        enough = items >= THRESHOLDS.unseen_items and holder.oldest_s >= THRESHOLDS.unseen_s
        return Standing.LEAKS if enough else Standing.UNSEEN
    return Standing.LEAKS


def _pace(parts: Sequence[_Part]) -> Standing:
    """Whether as many come at the end as at the beginning."""
    done, items = sum(part.done for part in parts), sum(part.items for part in parts)
    if len(parts) < THRESHOLDS.pattern or items < LASTING.items:
        return Standing.UNSURE
    fading = _fading(parts)
    less, error = fading.rate * done, fading.error * done
    if less - THRESHOLDS.sure_slowing * error > THRESHOLDS.slowing:
        return Standing.SLOWS
    return Standing.LEAKS if less + THRESHOLDS.sure_steady * error < THRESHOLDS.may_slow else Standing.UNSURE


def _fading(parts: Sequence[_Part]) -> Fading:
    line = Line.through(
        [part.middle for part in parts], [part.items / part.done for part in parts], [part.done for part in parts]
    )
    return Fading(-line.slope / line.y, math.sqrt(_scatter(parts) / (line.y * line.spread)))


def _scatter(parts: Sequence[_Part]) -> float:
    """The variance of counts in units of their mean: that of chance, unless they are seen to vary less, or more."""
    done, items = sum(part.done for part in parts), sum(part.items for part in parts)
    if len(parts) < THRESHOLDS.pattern or not items:
        return 1.0
    rate = items / done
    seen = sum((part.items - rate * part.done) ** 2 / (rate * part.done) for part in parts) / (len(parts) - 1)
    return max(seen, min(1.0, THRESHOLDS.caution * seen), THRESHOLDS.regular)


def _rate(parts: Sequence[_Part], confidence: float) -> Interval:
    """Items that last for each job or hour."""
    done, items = sum(part.done for part in parts), sum(part.items for part in parts)
    error = math.sqrt(_scatter(parts) * max(items, 1))
    half = (t_quantile((1 + confidence) / 2, max(len(parts) - 1, 1)) * error + THRESHOLDS.miscount) / done
    return Interval(items / done, max(items / done - half, 0.0), items / done + half, confidence)


def _parts(gain: Gain, lasting: Lasting, age: int, observation: Observation) -> list[_Part]:
    """What lasts of each cohort; those of looks between which nothing was done go with the next."""
    first = lasting.number - len(gain.looks)  # looks before the first that is told of, the baseline left out
    parts, items, begin = [], 0, 0.0
    for cohort, kept in lasting.items(age):
        at = cohort - 1 - first
        if at < 0:  # it came before there was any job
            continue
        items += kept
        end = observation.done[at]
        if end > begin:
            parts.append(_Part((begin + end) / 2, end - begin, items))
            items, begin = 0, end
    return parts


def _oldest_s(gain: Gain, lasting: Lasting, age: int, observation: Observation) -> float:
    """How long the oldest of the items that last have been there at least."""
    first = lasting.number - len(gain.looks)
    cohort = next((cohort for cohort, kept in lasting.items(age) if kept), None)
    if cohort is None:
        return 0.0
    at = cohort - 1 - first
    return observation.seconds[-1] - (observation.seconds[at] if at >= 0 else 0.0)


def _decided(
    observation: Observation,
    holders: Sequence[ObservedHolder],
    tolerance: float,
    confidence: float,
    noise_bytes: float,
) -> Decision:
    whole = _rest(observation, holders, confidence, noise_bytes)
    if (few := _too_few(observation)) is not None:
        return Decision(Verdict.INCONCLUSIVE, whole, few, since=None)
    leaking = [one for one in holders if one.standing is Standing.LEAKS and _is_worth(one, observation, tolerance)]
    if leaking:
        return _leak(leaking, observation, tolerance)
    suspect = next((one for one in holders if one.standing not in QUIET), None)
    if whole is None:
        return Decision(Verdict.INCONCLUSIVE, None, Reason(ReasonKind.FEW_LOOKS, {"looks": 0}), since=None)
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
    enough = THRESHOLDS.seconds / _HOUR_S if observation.jobs is None else THRESHOLDS.jobs
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
    told = {"path": gain.path, "items": gain.items, "item_bytes": gain.item_bytes}
    if observation.jobs is None:
        return Note(NoteKind.GAINED_IN_TIME, {**told, "seconds": observation.seconds[-1]})
    return Note(NoteKind.GAINED, {**told, "jobs": observation.jobs[-1]})


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
