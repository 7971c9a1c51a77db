"""What one holder is seen to do under traffic: whether it keeps what it gets, for how long, and goes on with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from labserver.diagnosis.decide.evidence import Gain
from labserver.diagnosis.decide.lasting import THRESHOLDS as LASTING
from labserver.diagnosis.decide.lasting import Lasting
from labserver.diagnosis.decide.observation import HOUR_S, Observation
from labserver.diagnosis.decide.steadiness import Fading
from labserver.stats.interval import Interval
from labserver.stats.line import Line
from labserver.stats.student import t_quantile


@dataclass(frozen=True, slots=True)
class HolderThresholds:
    """What is believed of holders under traffic; tests/unit/diagnosis/decide/test_observed.py simulates them.

    Attributes:
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
    """

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
    patience_s: float = HOUR_S
    runs: float = 4.0


THRESHOLDS = HolderThresholds()


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
class _Part:
    """What lasts of the items that came between two looks: their middle, how much was done meanwhile, and how many."""

    middle: float
    done: float
    items: int


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
