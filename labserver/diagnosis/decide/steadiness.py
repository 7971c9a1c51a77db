"""Does growth go on as it began, or does it slow down? A leak does the one, a cache that fills the other."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

# A cache of random keys fills as 1 − exp(−jobs ÷ τ). Steady is what no cache up to this τ would do.
SLOWEST_FILL_JOBS = 5000.0
# Standard errors: more while there may be another look, so that many looks are no more often wrong than one.
_SURE, _SURE_AT_LAST = 4.8, 3.6
_LEAST_SCATTER = 0.02
_PARTS_OF_A_PATTERN = 5
_CAUTION = 3.0
_MISCOUNT = 2  # items that a request's frame or a swap may hold
_LEAST_PARTS = 2
_LEAST_OF_A_THIRD, _LATE_SHARE, _HINT = 2, 0.2, 1.0
TELLING_JOBS = 200


class Course(StrEnum):
    """How growth develops."""

    STEADY = "steady"
    SLOWING = "slowing"
    FILLING = "filling"
    UNSURE = "unsure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Kept:
    """What one holder keeps more than at the first floor.

    Attributes:
        path: from a root to the items.
        jobs: finished jobs at each count, ascending.
        counts: items gained since the first floor, at each.
        item_bytes: the mean size of an item.
        bound: the number of items that the holder says it keeps at most.
    """

    path: str
    jobs: tuple[int, ...]
    counts: tuple[int, ...]
    item_bytes: float
    bound: int | None = None

    @property
    def gained_bytes(self) -> float:
        """What came since the first floor."""
        return self.counts[-1] * self.item_bytes

    @property
    def is_filling(self) -> bool:
        """Whether a declared bound still allows the growth."""
        return self.bound is not None and self.counts[-1] <= self.bound


@dataclass(frozen=True, slots=True)
class Line:
    """A slope with its interval, and the standard deviation of the floors about it."""

    slope: float
    low: float
    high: float
    deviation: float


def line(jobs: Sequence[float], floors: Sequence[float], *, noise: float, quantile: float) -> Line:
    """The least-squares line through floors; the interval allows for floors that wander, too.

    Args:
        jobs: finished jobs at each floor, n ≥ 3.
        floors: bytes at each.
        noise: the least standard deviation of a floor.
        quantile: standard errors on each side of the slope.
    """
    n = len(jobs)
    middle, level = sum(jobs) / n, sum(floors) / n
    spread = [x - middle for x in jobs]
    sxx = sum(x * x for x in spread)
    slope = sum(x * y for x, y in zip(spread, floors, strict=True)) / sxx
    rest = sum((y - level - slope * x) ** 2 for x, y in zip(spread, floors, strict=True))
    deviation = max(math.sqrt(rest / max(n - 2, 1)), noise)
    steps = [floors[i] - floors[i - 1] - slope * (jobs[i] - jobs[i - 1]) for i in range(1, n)]
    variance = deviation**2 / sxx + _wandering(steps) * (n - 1) / (jobs[-1] - jobs[0]) ** 2
    half = quantile * math.sqrt(variance)
    return Line(slope, slope - half, slope + half, deviation)


def _wandering(steps: Sequence[float]) -> float:
    """The variance that each cycle adds for good, as items of random size do.

    A floor's own noise comes and goes: over one step or over many it varies alike. What wanders varies the more, the
    more steps are taken together.
    """
    k = max(len(steps) // 6, 2)
    if len(steps) < 2 * k:
        return 0.0
    n = len(steps)
    one = sum(step * step for step in steps) / (n - 1)
    sums = [sum(steps[i : i + k]) for i in range(n - k + 1)]
    many = sum(value * value for value in sums) / len(sums) / (1 - k / n)  # the slope has taken its part
    return min(max(many - one, 0.0) / (k - 1), one)


def course_of_floors(
    jobs: Sequence[float],
    floors: Sequence[float],
    *,
    noise: float,
    slowest_fill_jobs: float = SLOWEST_FILL_JOBS,
    final: bool = False,
) -> Course:
    """How the bytes develop, from the trend of their rises.

    Args:
        jobs: finished jobs at each floor.
        floors: bytes at each.
        noise: the least standard deviation of a floor.
        slowest_fill_jobs: the τ up to which a cache must not pass for steady.
        final: whether this is the last look.
    """
    m = len(jobs) - 1
    lengths = [b - a for a, b in itertools.pairwise(jobs)]
    rises = [b - a for a, b in itertools.pairwise(floors)]
    middles = [(a + b) / 2 for a, b in itertools.pairwise(jobs)]
    total = jobs[-1] - jobs[0]
    rate, centre = sum(rises) / total, (jobs[-1] + jobs[0]) / 2
    weights = [middle - centre for middle in middles]
    information = sum(length * weight**2 for length, weight in zip(lengths, weights, strict=True))
    if rate <= 0 or not information or m < 3:
        return Course.UNSURE
    trend = sum(weight * rise for weight, rise in zip(weights, rises, strict=True)) / information
    rest = [
        rise - length * (rate + trend * weight) for rise, length, weight in zip(rises, lengths, weights, strict=True)
    ]
    wandering = _wandering(rest)
    own = sum(step * step for step in rest) / max(m - 2, 1)
    floor_variance = max(noise**2, (own - wandering) / 2)
    # Each floor ends one rise and begins the next.
    ends = [-weights[0], *(a - b for a, b in itertools.pairwise(weights)), weights[-1]]
    variance = floor_variance * sum(end * end for end in ends) + wandering * sum(weight**2 for weight in weights)
    return _course(-trend / rate, math.sqrt(variance) / information / rate, slowest_fill_jobs, final=final)


def course_of_counts(kept: Kept, now: int, *, final: bool = False) -> Course:
    """How a holder's items develop: exactly so many per job, every time, is a leak; else the trend decides.

    Args:
        kept: the holder's counts.
        now: finished jobs.
        final: whether this is the last look.
    """
    if kept.is_filling:
        return Course.FILLING
    if kept.jobs[-1] < now:
        return Course.UNSURE
    parts = _parts(kept)
    if len(parts) < _LEAST_PARTS:
        return Course.UNSURE
    recent = _recent(parts)
    if _exactly(recent):
        return Course.STEADY
    fading = _fading(parts)
    return Course.UNSURE if fading is None else _course(*fading, SLOWEST_FILL_JOBS, final=final)


def goes_on(kept: Kept) -> bool:
    """Whether a handful of items came in the first as well as in the last third of the jobs, and no fewer late."""
    parts = _parts(kept)
    fading = _fading(parts)
    now = kept.jobs[-1]
    first = sum(gain for middle, length, gain in parts if middle + length / 2 <= now / 2)
    last = sum(gain for middle, length, gain in parts if middle - length / 2 >= now * 0.6)
    spread = min(first, last) >= _LEAST_OF_A_THIRD and last >= _LATE_SHARE * kept.counts[-1]
    return spread and fading is not None and fading[0] < _HINT * fading[1]


def _fading(parts: Sequence[tuple[float, int, int]]) -> tuple[float, float] | None:
    """1 ÷ τ of counts and its standard error, from how the gains lean; None where nothing was gained."""
    jobs, items = sum(length for _, length, _ in parts), sum(gain for _, _, gain in parts)
    if items <= 0 or len(parts) < _LEAST_PARTS:
        return None
    rate, centre = items / jobs, sum(middle * length for middle, length, _ in parts) / jobs
    information = rate * sum(length * (middle - centre) ** 2 for middle, length, _ in parts)
    fading = -sum(gain * (middle - centre) for middle, _, gain in parts) / information
    return fading, math.sqrt(_scatter(parts, rate) / information)


def _scatter(parts: Sequence[tuple[float, int, int]], rate: float) -> float:
    """How counts vary, in units of their mean: as those of chance do, or less where they are seen to be regular."""
    chance = max(1 - rate if rate < 1 else 1.0, _LEAST_SCATTER)
    if len(parts) < _PARTS_OF_A_PATTERN:
        return chance
    seen = sum((gain - rate * length) ** 2 / (rate * length) for _, length, gain in parts) / (len(parts) - 1)
    return min(chance, max(_CAUTION * seen, _LEAST_SCATTER / 4))


def _parts(kept: Kept) -> list[tuple[float, int, int]]:
    """Between two counts each: the middle, the jobs and the items gained."""
    jobs, counts = (0, *kept.jobs), (0, *kept.counts)
    return [
        ((jobs[i] + jobs[i - 1]) / 2, jobs[i] - jobs[i - 1], counts[i] - counts[i - 1])
        for i in range(1, len(jobs))
        if jobs[i] > jobs[i - 1]
    ]


def _recent(parts: list[tuple[float, int, int]]) -> list[tuple[float, int, int]]:
    """The last parts: two or more, and enough jobs for a slow cache to have met a key again; else all of them."""
    start = len(parts) - _LEAST_PARTS
    while start > 0 and sum(length for _, length, _ in parts[start:]) < TELLING_JOBS:
        start -= 1
    return parts[start:]


def _exactly(parts: Sequence[tuple[float, int, int]]) -> bool:
    """Whether each job brings the same whole number of items."""
    jobs, items = sum(length for _, length, _ in parts), sum(gain for _, _, gain in parts)
    each = round(items / jobs)
    deviations = [items - each * jobs, *(gain - each * length for _, length, gain in parts)]
    return each >= 1 and all(abs(deviation) <= _MISCOUNT for deviation in deviations)


def _course(fading: float, error: float, slowest_fill_jobs: float, *, final: bool) -> Course:
    """What an estimate of 1 ÷ τ and its standard error say."""
    margin = (_SURE_AT_LAST if final else _SURE) * error
    if fading + margin < 1 / slowest_fill_jobs:
        return Course.STEADY
    return Course.SLOWING if fading - margin > 0 else Course.UNSURE


def most_per_job(kept: Kept, jobs: int) -> float:
    """The upper 95 % bound of the items per job, as for counts of rare events."""
    count = max(kept.counts[-1], 0)
    # Wilson and Hilferty's cube-root formula for Poisson's upper limit: within 1 % of the exact one.
    top = count + 1
    return top * (1 - 1 / (9 * top) + 1.645 / (3 * math.sqrt(top))) ** 3 / max(jobs, 1)
