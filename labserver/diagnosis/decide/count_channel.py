"""The channel of the counts: what each holder keeps more than at the first floor, in whole numbers without noise.

The counts see what one job in a hundred keeps, and a leak of one item a job at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from labserver.diagnosis.decide.evidence import Evidence, Gain
from labserver.diagnosis.decide.rules import SLOWEST_FILL_JOBS, Rules
from labserver.diagnosis.decide.steadiness import Fading, Steadiness
from labserver.stats.line import Line


@dataclass(frozen=True, slots=True)
class CountThresholds:
    """What is believed of counts.

    The figures are of tests/bench/verdict_simulate.py: `rare` is a leak of one job in a hundred, `seldom` a cache that
    few jobs use, `some` a leak of 2 to 50 % of the jobs.

    Attributes:
        items: fewer say nothing: neither of a trend, nor that it is their number which grows. With 10, `rare` takes
            1,150 jobs instead of 880; 3 would gain but 40.
        large_bytes: an item from this size on, and from the tolerance on, is judged by itself; of smaller ones, which
            free lists hold too, only as many as are a leak's worth. With 256 and with 4,096 nearly all comes out alike.
        tolerance_share: the least part of the tolerance that a leak keeps a job which only counting finds. With half,
            one `rare` in fifteen is missed; with a tenth, `seldom` is called a leak half as often again.
        explained: the part of the growth that holders must make up to speak for it. With 0.75, what is emptied when it
            is full is called a leak (test_check).
        telling_jobs: the jobs in which a cache of some thousand keys meets a key again. A leak of every job is known
            at the second count, after 400, in any case.
        few_share: items of fewer than this part of the jobs are few for a trend. With 0.02, `some` takes 300 jobs more;
            with 0.1, 320 less, of which more are doubted in a note.
        few_jobs: jobs from which on a few items may be a leak though no trend is sure. With 1,000, `rare` takes 220
            jobs more; with 250 nothing is gained.
        each_end: items that must have come in the first half of the jobs, and in the last two fifths. With 4, `rare`
            takes 440 jobs more.
        late_share: the part of them that must have come in the last two fifths. With 0.35, `rare` takes 280 jobs more.
        hint: standard errors by which the items may have become fewer. With 0, `rare` takes half as many jobs again.
        miscount: items that a request's frame or a swap may hold at a count: one that is on its way, at either end.
        least_scatter: the least variance of counts, in units of their mean: what is seen to be exact may be luck.
        pattern: parts between counts from which on they can be seen to be more regular than chance.
        caution: the seen scatter is multiplied by this for having been seen in few parts. With 1, `half` would be
            called after 130 jobs less, by a scatter of which five parts may show but a third.
    """

    items: int = 6
    large_bytes: float = 1024.0
    tolerance_share: float = 0.25
    explained: float = 0.5
    telling_jobs: int = 200
    few_share: float = 0.05
    few_jobs: int = 500
    each_end: int = 2
    late_share: float = 0.2
    hint: float = 1.0
    miscount: int = 2
    least_scatter: float = 0.02
    pattern: int = 5
    caution: float = 3.0


THRESHOLDS = CountThresholds()
_LEAST_PARTS = 2


@dataclass(frozen=True, slots=True)
class _Part:
    """What was gained between two counts: their middle and distance in jobs, and the items."""

    middle: float
    jobs: int
    items: int


def steadiness_of_holders(evidence: Evidence, per_job: float) -> Steadiness:
    """How what the holders keep develops, if they explain the growth.

    Args:
        evidence: with gains.
        per_job: the growth, in bytes.
    """
    growth = per_job * evidence.jobs[-1]
    explained, found = 0.0, []
    for gain in sorted(evidence.gains or (), key=lambda gain: gain.gained_bytes, reverse=True):
        explained += gain.gained_bytes
        # Where it is the items that grow, such as a buffer that is written to, their number says nothing.
        is_counted = gain.items >= THRESHOLDS.items or gain.is_filling
        found.append(steadiness_of_gain(gain, evidence) if is_counted else Steadiness.UNKNOWN)
        if explained >= THRESHOLDS.explained * growth:
            break
    # A late leak's holders explain its growth since it began, not that of all jobs.
    if not found or explained < THRESHOLDS.explained * min(growth, evidence.floors[-1] - evidence.floors[0]):
        return Steadiness.UNKNOWN
    return next(steadiness for steadiness in Steadiness if steadiness in found)


def steadiness_of_gain(gain: Gain, evidence: Evidence) -> Steadiness:
    """How a holder's items develop; of a handful no trend is sure, so it is enough that they go on."""
    jobs = evidence.jobs[-1]
    if gain.lets_go and not gain.is_filling:
        return Steadiness.LETS_GO
    steadiness = steadiness_of_counts(gain, jobs, final=evidence.final)
    few = THRESHOLDS.items <= gain.items < THRESHOLDS.few_share * jobs and jobs >= THRESHOLDS.few_jobs
    return Steadiness.GOES_ON if steadiness is Steadiness.UNSURE and few and _goes_on(gain) else steadiness


def steadiness_of_counts(gain: Gain, now: int, *, final: bool = False) -> Steadiness:
    """The same by the trend alone: exactly so many per job, every time, is a leak.

    Args:
        gain: the holder's.
        now: finished jobs.
        final: whether this is the last decision.
    """
    if gain.is_filling:
        return Steadiness.FILLING
    parts = _parts(gain)
    if gain.jobs[-1] < now or len(parts) < _LEAST_PARTS:
        return Steadiness.UNSURE
    if _is_exact(_recent(parts)):
        return Steadiness.STEADY
    fading = _fading(parts)
    return Steadiness.UNSURE if fading is None else fading.steadiness(SLOWEST_FILL_JOBS, final=final)


def suspects(evidence: Evidence, tolerance: float) -> list[Gain]:
    """The holders that may keep some items for ever, which the bytes are too few or too noisy to show.

    What small items the bytes do not show has taken the place of others, for as long as there are such. One cause may
    leave small items with several holders, as a registry and an index beside it: steady ones count together.

    Args:
        evidence: with gains.
        tolerance: bytes per job below which growth is of no interest. An item that alone is more than a job may keep
            is of interest, however few jobs keep one.
    """
    jobs, large = evidence.jobs[-1], max(THRESHOLDS.large_bytes, tolerance)
    gains = [gain for gain in evidence.gains or () if gain.items > 0 and not gain.is_filling]
    steady = {gain.path: gain for gain in gains if steadiness_of_gain(gain, evidence) is Steadiness.STEADY}
    are_together = sum(gain.gained_bytes for gain in steady.values()) >= tolerance * jobs
    return [
        gain
        for gain in gains
        if (gain.item_bytes >= large or gain.gained_bytes >= tolerance * jobs or (are_together and gain.path in steady))
        and most_per_job(gain.items, jobs) * gain.item_bytes >= THRESHOLDS.tolerance_share * tolerance
    ]


def is_enough(gain: Gain, evidence: Evidence, rules: Rules) -> bool:
    """Whether what a holder gained is a leak's worth."""
    least = THRESHOLDS.tolerance_share * rules.tolerance * evidence.jobs[-1]
    return gain.items >= THRESHOLDS.items and gain.gained_bytes >= least


def most_per_job(items: int, jobs: int) -> float:
    """The upper 95 % bound of the items per job, as for counts of rare events."""
    # Wilson and Hilferty's cube-root formula for Poisson's upper limit: within 1 % of the exact one.
    top = items + 1
    return top * (1 - 1 / (9 * top) + 1.645 / (3 * math.sqrt(top))) ** 3 / max(jobs, 1)


def _goes_on(gain: Gain) -> bool:
    """Whether a handful of items came in the first half as well as in the last 40 % of the jobs, and no fewer late."""
    parts, now = _parts(gain), gain.jobs[-1]
    first = sum(part.items for part in parts if part.middle + part.jobs / 2 <= 0.5 * now)
    last = sum(part.items for part in parts if part.middle - part.jobs / 2 >= 0.6 * now)
    if min(first, last) < THRESHOLDS.each_end or last < THRESHOLDS.late_share * gain.items:
        return False
    fading = _fading(parts)
    return fading is not None and fading.rate < THRESHOLDS.hint * fading.error


def _fading(parts: Sequence[_Part]) -> Fading | None:
    """How the gains become less; None where nothing was gained."""
    jobs, items = _sums(parts)
    if items <= 0 or len(parts) < _LEAST_PARTS:
        return None
    line = Line.through(
        [part.middle for part in parts], [part.items / part.jobs for part in parts], [part.jobs for part in parts]
    )
    return Fading(-line.slope / line.y, math.sqrt(_scatter(parts, items / jobs) / (line.y * line.spread)))


def _scatter(parts: Sequence[_Part], rate: float) -> float:
    """How counts vary, in units of their mean: as those of chance do, or less where they are seen to be regular."""
    chance = max(1 - rate if rate < 1 else 1.0, THRESHOLDS.least_scatter)
    if len(parts) < THRESHOLDS.pattern:
        return chance
    seen = sum((part.items - rate * part.jobs) ** 2 / (rate * part.jobs) for part in parts) / (len(parts) - 1)
    return min(chance, max(THRESHOLDS.caution * seen, THRESHOLDS.least_scatter / 4))


def _parts(gain: Gain) -> list[_Part]:
    jobs, counts = (0, *gain.jobs), (0, *gain.counts)
    return [
        _Part((jobs[i] + jobs[i - 1]) / 2, jobs[i] - jobs[i - 1], counts[i] - counts[i - 1])
        for i in range(1, len(jobs))
        if jobs[i] > jobs[i - 1]
    ]


def _recent(parts: Sequence[_Part]) -> Sequence[_Part]:
    """The last parts: two or more, and enough jobs for a slow cache to have met a key again; else all of them."""
    start = len(parts) - _LEAST_PARTS
    while start > 0 and _sums(parts[start:])[0] < THRESHOLDS.telling_jobs:
        start -= 1
    return parts[start:]


def _is_exact(parts: Sequence[_Part]) -> bool:
    """Whether each job brings the same whole number of items."""
    jobs, items = _sums(parts)
    each = round(items / jobs)
    deviations = [items - each * jobs, *(part.items - each * part.jobs for part in parts)]
    return each >= 1 and all(abs(deviation) <= THRESHOLDS.miscount for deviation in deviations)


def _sums(parts: Sequence[_Part]) -> tuple[int, int]:
    """Jobs and items of some parts together."""
    return sum(part.jobs for part in parts), sum(part.items for part in parts)
