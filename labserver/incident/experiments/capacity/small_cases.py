"""Real stores against the formulas, in simulated time: the clock is moved from one event to the next.

What else the machine does cannot bend what they keep then, and a minute of arrivals lasts a second.
"""

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from labserver.incident.experiments.capacity.formulas import erlang_b
from labserver.incident.experiments.measured import Measured
from labserver.incident.service.face import largest_png_bytes
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import StoreFull, create_store
from labserver.stats.interval import Interval

Array = npt.NDArray[np.float64]

_LOOK_S = 0.005
_PX = 16


@dataclass(frozen=True, slots=True)
class SmallCase(Measured):
    """A real store with a TTL under Poisson arrivals.

    Attributes:
        rate_per_s: jobs that were finished per second.
        ttl_s, sweep_s: its time to live and the period of its sweeps.
        kept: results kept at each look, shape (n,).
        span_s: from the first to the last look.
    """

    rate_per_s: float
    ttl_s: float
    sweep_s: float
    kept: Array
    span_s: float

    @property
    def mean(self) -> float:
        """The predicted mean of the kept results, λ · (TTL + sweep / 2)."""
        return self.rate_per_s * (self.ttl_s + self.sweep_s / 2)

    @property
    def variance(self) -> float:
        """The predicted variance: that of a Poisson count, and of the sweep's uniform age."""
        return self.mean + (self.rate_per_s * self.sweep_s) ** 2 / 12

    @property
    def error(self) -> float:
        """Measured mean against predicted, as a share."""
        return float(self.kept.mean()) / self.mean - 1

    @property
    def independent(self) -> float:
        """How many independent looks at the spread there were: windows overlap, so neighbours are alike."""
        return 1.5 * self.span_s / (self.ttl_s + self.sweep_s / 2)


def run_small_cases(
    cells: Sequence[tuple[float, float]], *, duration_s: float, seed: int = 0, store: str = "ttl", even: bool = False
) -> list[SmallCase]:
    """Let a store for each case get arrivals of its own, all jobs done at once, and count what it keeps.

    Args:
        cells: jobs per second and seconds of time to live of each; the sweep is a tenth of the latter.
        duration_s: how long jobs arrive; the looks begin when the first results have been swept.
        seed: what the arrivals are drawn from.
        store: the policy under test.
        even: let jobs arrive at even distances instead.
    """
    rng = np.random.default_rng(seed)
    found = []
    for rate_per_s, ttl_s in cells:
        arrivals = _arrivals(rate_per_s, duration_s, rng, even=even)
        settings = Settings(store=store, ttl_s=ttl_s, sweep_s=ttl_s / 10, result_px=_PX)
        found.append(_small_case(_looks(settings, arrivals, duration_s), settings))
    return found


def dispersion(cases: Sequence[SmallCase], *, confidence: float = 0.999) -> Interval:
    """The measured variance of the kept results over the predicted one, all cases together.

    Near 1 for Poisson arrivals, near 0 for even ones. The interval is that of a variance, with the Wilson–Hilferty
    quantiles of χ² (Proc. Natl. Acad. Sci. 17, 1931).
    """
    weights = np.array([case.independent for case in cases])
    ratios = np.array([float(np.mean((case.kept - case.mean) ** 2)) / case.variance for case in cases])
    ratio, dof = float(weights @ ratios / weights.sum()), float(weights.sum())
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = 2 / (9 * dof)
    low, high = (ratio / (1 - spread + sign * z * spread**0.5) ** 3 for sign in (1, -1))
    return Interval(ratio, low, high, confidence)


def refused_in_simulated_time(  # noqa: PLR0913 - keyword-only, each with a unit of its own
    places: int, rate_per_s: float, *, ttl_s: float, read_after_s: float, never_read: float, jobs: int, seed: int = 0
) -> float:
    """The share of jobs that the real byte-budget store refuses, with the clock moved from arrival to arrival.

    Args:
        places: results that fit into its budget.
        rate_per_s: Poisson arrivals per second.
        ttl_s: the time to live.
        read_after_s: mean of the exponential time until a result is read; one that would be read too late never is.
        never_read: share of results that nobody fetches.
        jobs: how many arrive.
        seed: what arrivals and reads are drawn from.
    """
    now = [0.0]
    size = largest_png_bytes(_PX)
    settings = Settings(store="byte-budget", budget_bytes=places * size, ttl_s=ttl_s, sweep_s=ttl_s, result_px=_PX)
    store = create_store(settings, lambda: now[0])
    image, rng, reads, refused = bytes(size), np.random.default_rng(seed), list[tuple[float, str]](), list[float]()
    for number, arrival in enumerate(np.cumsum(rng.exponential(1 / rate_per_s, jobs))):
        while reads and reads[0][0] <= arrival:
            now[0], job_id = heapq.heappop(reads)
            store.take(job_id)
        now[0] = float(arrival)
        try:
            store.put(str(number), JobResult(JobState.PENDING, None, None, now[0]))
        except StoreFull:
            refused.append(now[0])
            continue
        store.put(str(number), JobResult(JobState.DONE, image, None, now[0]))
        if rng.random() >= never_read:
            heapq.heappush(reads, (now[0] + float(rng.exponential(read_after_s)), str(number)))
    counted = sum(instant > 2 * ttl_s for instant in refused)  # until then it was filling
    return counted / (jobs - 2 * ttl_s * rate_per_s)


def checked_refusals(
    rate_per_s: float, hold_s: float, *, loads: Sequence[float] = (0.8, 0.95, 1.0), jobs: int = 20_000, seed: int = 0
) -> list[tuple[int, float, float]]:
    """The real store beside Erlang's formula: places, the share refused, and the share foretold.

    Half of the results are read after an exponential time, the others never: the formula knows the mean time only.

    Args:
        rate_per_s: Poisson arrivals per second.
        hold_s: mean seconds for which a place is taken.
        loads: places, as shares of the jobs that would be kept without a bound.
        jobs: how many arrive at each.
        seed: what is drawn from.
    """
    ttl_s, read_after_s = 1.6 * hold_s, 0.5 * hold_s
    # A read that would come after the time to live does not shorten the stay.
    read_s = read_after_s * (1 - np.exp(-ttl_s / read_after_s))
    offered = rate_per_s * (0.5 * ttl_s + 0.5 * read_s)
    found = []
    for load in loads:
        places = round(load * offered)
        refused = refused_in_simulated_time(
            places, rate_per_s, ttl_s=ttl_s, read_after_s=read_after_s, never_read=0.5, jobs=jobs, seed=seed
        )
        found.append((places, refused, erlang_b(places, offered)))
    return found


def _arrivals(rate_per_s: float, duration_s: float, rng: np.random.Generator, *, even: bool) -> Array:
    count = int(rate_per_s * duration_s)
    if even:
        return np.arange(count) / rate_per_s
    # Given how many there are, a Poisson process's arrivals lie anywhere, independently.
    return np.sort(rng.uniform(0, duration_s, rng.poisson(count)))


def _looks(settings: Settings, arrivals: Array, duration_s: float) -> Array:
    """Put and sweep when it is time, and look in between; a row a look: seconds, results kept, jobs finished."""
    now = [0.0]
    store = create_store(settings, lambda: now[0])
    numbers = itertools.count()
    rows: list[tuple[float, int, int]] = []

    def put() -> None:
        store.put(str(next(numbers)), JobResult(JobState.DONE, b"", None, now[0]))

    def look() -> None:
        rows.append((now[0], len(store), int(np.searchsorted(arrivals, now[0], side="right"))))

    sweeps = np.arange(settings.sweep_s, duration_s, settings.sweep_s)
    due = ((arrivals, put), (sweeps, store.sweep), (np.arange(_LOOK_S / 2, duration_s, _LOOK_S), look))
    events = ([(float(instant), action) for instant in instants] for instants, action in due)
    for now[0], action in heapq.merge(*events, key=lambda event: event[0]):
        action()
    return np.array(rows, dtype=np.float64)


def _small_case(rows: Array, settings: Settings) -> SmallCase:
    ttl_s, sweep_s = settings.ttl_s, settings.sweep_s
    steady = rows[rows[:, 0] > ttl_s + 2 * sweep_s]
    window_s = ttl_s + sweep_s / 2
    # What is kept between two instants finished, on average, half a window before.
    finished = np.interp([steady[0, 0] - window_s / 2, steady[-1, 0] - window_s / 2], rows[:, 0], rows[:, 2])
    span_s = float(steady[-1, 0] - steady[0, 0])
    return SmallCase(float(finished[1] - finished[0]) / span_s, ttl_s, sweep_s, steady[:, 1], span_s)
