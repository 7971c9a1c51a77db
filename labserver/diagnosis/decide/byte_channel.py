"""The channel of the bytes: how surely memory at rest grows with the jobs, from which floor on, and how steadily.

The bytes cannot tell a leak from a cache that takes thousands of jobs to fill, nor see what one job in a hundred keeps.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labserver.diagnosis.decide.floors import FloorLine, Floors, floor_line, wandering
from labserver.diagnosis.decide.steadiness import Fading, Steadiness
from labserver.stats.line import Line


@dataclass(frozen=True, slots=True)
class ByteThresholds:
    """What tells growth of floors from what only looks like it.

    The figures are of tests/bench/verdict_simulate.py; where none is given, values well below and above come out alike.

    Attributes:
        recent: floors that say what goes on now, where all of them would hide that a leak began late. With 6 two in
            five servers with the steps of imports stay undecided; with 16 they take 160 jobs more.
        last: floors that the end of growth is judged by, at least. Three show next to no scatter of their own.
        telling: the part of the jobs that the last floors must span for their line to be told: hardly any jobs lie
            between two while something is waited for that goes by itself.
        jumps: the highest rises that are left out, however high: an import, and a table that is doubled. From nine
            floors on the line's own scatter says as much; the six of a short experiment need it.
        near: as straight as another line is one whose deviation is at most so many times as large.
        bent: a line is bent whose deviation is more than so many times that of its last floors.
        fell: the part of the growth that memory must have lost on the way, and may have regained since, to be emptied
            when it is full, as test_check's caches are.
        deviations: a last floor so many standard deviations above its neighbour may be the begin of a leak. Not the
            2.58 of a 99 % interval: each decision asks anew, and one floor in a hundred would put the answer off.
        sharp: an interval as wide as so many tolerances tells the tolerance from nothing. With 3 a sawtooth takes
            1,100 jobs instead of 750; with 0.75 nothing is gained.
    """

    recent: int = 10
    last: int = 4
    telling: float = 0.05
    jumps: int = 2
    near: float = 1.5
    bent: float = 3.0
    fell: float = 0.25
    deviations: float = 3.5
    sharp: float = 1.5


THRESHOLDS = ByteThresholds()
_LEAST_RISES = 3  # a trend of two has no error


def growth_start(floors: Floors, tolerance: float) -> int | None:
    """The floor from which on memory grows by more than the tolerance; None where it is not sure that it does."""
    whole, recent = floors.line(), floors.line(-THRESHOLDS.recent)
    late = recent.low > tolerance and _grows_without_jumps(floors, -THRESHOLDS.recent, tolerance)
    # A leak that began late bends the line over all floors; the recent ones know its slope better.
    if late and recent.deviation < whole.deviation / 2:
        return _straight_from(floors, len(floors) - THRESHOLDS.recent, recent)
    if whole.low > tolerance and _grows_without_jumps(floors, 0, tolerance) and recent.slope > tolerance:
        return 0
    return _straight_from(floors, len(floors) - THRESHOLDS.recent, recent) if late else None


def only_comes_back(floors: Floors, start: int) -> bool:
    """Whether memory fell, and has risen since to little more than it was: what is emptied when it is full."""
    peak = top = bottom = floors.sizes[0]
    fall = 0.0
    for size in floors.sizes:
        top = max(top, size)
        if top - size > fall:
            fall, peak, bottom = top - size, top, size
    last = floors.sizes[-1]
    return fall > THRESHOLDS.fell * (last - floors.sizes[start]) and last - peak < THRESHOLDS.fell * (last - bottom)


def late_start(floors: Floors, start: int) -> int:
    """The floor from which on a leak that began late is straight; the start, where it did not begin late."""
    first = len(floors) - THRESHOLDS.last
    if first <= start or floors.span(first) < THRESHOLDS.telling * floors.span(start):
        return start
    last = floors.line(first)
    if floors.line(start).deviation <= THRESHOLDS.bent * last.deviation:
        return start
    first = _straight_from(floors, first, last, least=start)
    rise = (floors.sizes[first] - floors.sizes[start]) / max(floors.jobs[first] - floors.jobs[start], 1)
    return first if rise < last.slope / 2 else start


def quiet_start(floors: Floors, tolerance: float) -> int | None:
    """The floor from which on memory stays below the tolerance, up to the last jobs; None where that is not sure."""
    whole, recent = floors.line(), floors.line(-THRESHOLDS.recent)
    steady = whole.high < tolerance
    if not steady and not (len(floors) > THRESHOLDS.recent and recent.high < tolerance):
        return None
    # A leak may begin with the last jobs: neither they nor the last step may show one.
    before = _roughly(floors.jobs[:-2], floors.sizes[:-2], floors.noise_bytes).deviation
    last = _end(floors, before if steady else min(before, recent.deviation), tolerance)
    jump = max(tolerance * (floors.jobs[-1] - floors.jobs[-2]), THRESHOLDS.deviations * before)
    if last.high >= tolerance or floors.sizes[-1] - floors.sizes[-2] >= jump:
        return None
    return 0 if steady else len(floors) - THRESHOLDS.recent


def steadiness_of_bytes(floors: Floors, start: int, slowest_fill_jobs: float, *, final: bool) -> Steadiness:
    """How the bytes develop, since the start or, where an import came in between, in the later half.

    Args:
        floors: all of them.
        start: the floor that the growth begins with.
        slowest_fill_jobs: the τ up to which a cache must not pass for steady.
        final: whether this is the last decision.
    """
    for first in (start, (start + len(floors)) // 2):
        fading = fading_of_bytes(floors.jobs[first:], floors.sizes[first:], noise_bytes=floors.noise_bytes)
        if fading is not None:
            steadiness = fading.steadiness(slowest_fill_jobs, final=final)
            if steadiness is not Steadiness.UNSURE:
                return steadiness
    return Steadiness.UNSURE


def fading_of_bytes(jobs: Sequence[float], sizes: Sequence[float], *, noise_bytes: float) -> Fading | None:
    """By how much the rises from floor to floor become less; None of too few, or where nothing has grown.

    Args:
        jobs: finished jobs at each floor.
        sizes: bytes at each.
        noise_bytes: the least standard deviation of a floor.
    """
    x, y = np.array(jobs, dtype=np.float64), np.array(sizes, dtype=np.float64)
    apart = np.diff(x) > 0
    lengths, rises, middles = (values[apart] for values in (np.diff(x), np.diff(y), (x[1:] + x[:-1]) / 2))
    if len(rises) < _LEAST_RISES or rises.sum() <= 0:
        return None
    line = Line.through(middles, rises / lengths, lengths)
    rest, away = lengths * line.rest, middles - line.x
    wanders = wandering(rest)
    own = float(rest @ rest) / max(len(rest) - 2, 1)
    floor_variance = max(noise_bytes**2, (own - wanders) / 2)
    # Each floor ends one rise and begins the next.
    ends = np.diff(away, prepend=0.0, append=0.0)
    variance = floor_variance * float(ends @ ends) + wanders * float(away @ away)
    return Fading(-line.slope / line.y, math.sqrt(variance) / line.spread / line.y)


def _grows_without_jumps(floors: Floors, start: int, tolerance: float) -> bool:
    """Whether the growth is more than the tolerance also without its highest steps."""
    jobs, sizes = itertools.pairwise(floors.jobs[start:]), itertools.pairwise(floors.sizes[start:])
    # Between the floors of a challenge are more and more jobs, so a rise counts by what it has above the tolerance.
    above = sorted(b - a - tolerance * (after - before) for (before, after), (a, b) in zip(jobs, sizes, strict=True))
    rest = above[: -THRESHOLDS.jumps]
    return bool(rest) and sum(rest) > 0


def _straight_from(floors: Floors, start: int, line: FloorLine, least: int = 0) -> int:
    """The first floor from which on all lie on one line about as well as those of a line from `start` on do."""
    start = max(start, least)
    while start > least and floors.line(start - 1).deviation <= THRESHOLDS.near * line.deviation:
        start -= 1
    return start


def _end(floors: Floors, deviation: float, tolerance: float) -> FloorLine:
    """The line over as few of the last floors as can tell the tolerance from nothing."""
    for n in range(THRESHOLDS.last, len(floors) + 1):
        line = _roughly(floors.jobs[-n:], floors.sizes[-n:], deviation)
        if line.high - line.low < THRESHOLDS.sharp * tolerance:
            break
    return line


def _roughly(jobs: Sequence[float], sizes: Sequence[float], noise_bytes: float) -> FloorLine:
    """A line whose interval bears no share of the risk: it only ever delays an answer."""
    return floor_line(jobs, sizes, noise_bytes=noise_bytes, quantile=THRESHOLDS.deviations)
