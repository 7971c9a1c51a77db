"""How much memory results need at rates that no single machine has: M/D/∞ in closed form and by simulation.

Jobs arrive as a Poisson process and each result stays for its time to live and then until the next sweep. The number
kept is then Poisson with the mean λ · (TTL + age of the newest sweep): of the time that customers stay, the queue with
infinitely many servers knows the mean only (S. G. Eick, W. A. Massey, W. Whitt, "The physics of the Mt/G/∞ queue",
Operations Research 41, 1993). With results of different sizes the bytes are compound Poisson.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from labserver.errors import UsageError
from labserver.incident.experiments.measured import Measured
from labserver.incident.experiments.steady_state import plateau_bytes

Array = npt.NDArray[np.float64]

QUANTILES = (0.5, 0.99, 0.999)
_DAY_S = 86_400
_PHASES = 120
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Retention(Measured):
    """What is kept and for how long.

    Attributes:
        ttl_s: seconds that a result lives.
        sweep_s: seconds between two sweeps; the time to live is a multiple of it.
        sizes: bytes of a kept result, each equally likely.
    """

    ttl_s: float
    sweep_s: float
    sizes: tuple[float, ...]

    @property
    def mean_bytes(self) -> float:
        """The mean size of a result."""
        return float(np.mean(self.sizes))

    def mean_demand(self, rate_per_s: float) -> float:
        """The mean of the kept bytes, over time."""
        return plateau_bytes(rate_per_s, self.ttl_s, self.sweep_s, self.mean_bytes)


@dataclass(frozen=True, slots=True)
class Demand(Measured):
    """Kept bytes at a rate: the mean over time, quantiles over time by share, and the median of the days' largest."""

    mean: float
    quantiles: dict[float, float]
    day_max: float


def simulated_demand(rate_per_s: float, kept: Retention, rng: np.random.Generator, *, days: int = 200) -> Demand:
    """Draw the arrivals of some days and count what is kept.

    Exact, and the cost does not grow with the rate: only the number of arrivals between two sweeps matters, which is
    Poisson, independent for each size of result; and of those since the newest sweep, each came before an
    instant within the period with that instant's share of it, so that their number is binomial.

    Args:
        rate_per_s: jobs that finish per second.
        kept: what becomes of their results.
        rng: where the arrivals are drawn from.
        days: how many.

    Raises:
        UsageError: the time to live is no multiple of the sweep.
    """
    periods = round(kept.ttl_s / kept.sweep_s)
    if periods < 1 or not math.isclose(periods * kept.sweep_s, kept.ttl_s):
        raise UsageError(f"ttl_s={kept.ttl_s} must be a multiple of sweep_s={kept.sweep_s}.")
    per_day = round(_DAY_S / kept.sweep_s)
    cycles = days * per_day
    arrivals = rng.poisson(rate_per_s * kept.sweep_s / len(kept.sizes), (periods + cycles, len(kept.sizes)))
    sizes = np.asarray(kept.sizes)
    newest = arrivals[periods:]
    # Just after a sweep: the arrivals of one time to live.
    swept = np.cumsum(np.insert(arrivals @ sizes, 0, 0.0))
    after_sweep = (swept[periods:] - swept[:-periods])[:-1]
    looked_at = after_sweep + rng.binomial(newest, rng.random((cycles, 1))) @ sizes
    peaks = after_sweep + newest @ sizes
    quantiles = dict(zip(QUANTILES, map(float, np.quantile(looked_at, QUANTILES)), strict=True))
    return Demand(float(looked_at.mean()), quantiles, float(np.median(peaks.reshape(days, per_day).max(axis=1))))


def demand_quantile(rate_per_s: float, kept: Retention, share: float) -> float:
    """The bytes that are not exceeded in a share of the time, in closed form.

    The mixture, over the age of the newest sweep, of compound Poisson distributions, each with Edgeworth's correction
    for its skewness (H. Cramér, "Mathematical Methods of Statistics", 1946, 17.7): for a hundred results and more.
    """
    phases = (np.arange(_PHASES) + 0.5) / _PHASES * kept.sweep_s
    count = rate_per_s * (kept.ttl_s + phases)
    moments = [float(np.mean(np.asarray(kept.sizes) ** k)) for k in (1, 2, 3)]
    mean, deviation = count * moments[0], np.sqrt(count * moments[1])
    skewness = count * moments[2] / deviation**3
    low, high = float(mean.min() - 8 * deviation.max()), float(mean.max() + 8 * deviation.max())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _edgeworth((middle - mean) / deviation, skewness) < share else (low, middle)
    return high


def _edgeworth(z: Array, skewness: Array) -> float:
    """P(Z ≤ z) for standardised sums with some skewness, averaged."""
    phi = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    cdf = np.array([_NORMAL.cdf(float(value)) for value in z])
    return float(np.mean(cdf - skewness / 6 * (z**2 - 1) * phi))


def erlang_b(servers: float, offered: float) -> float:
    """The share of arrivals that find all of `servers` places taken (A. K. Erlang, 1917).

    It holds for any distribution of the time that a place is taken: only its mean counts (B. A. Sevastyanov, 1957).

    Args:
        servers: whole places, 0 or more.
        offered: arrivals per second × mean seconds that each takes a place.
    """
    places = math.floor(servers)
    if offered <= 0:
        return 0.0
    # 1/B = Σ_k Π_{i<k} (c − i) / a: terms beyond these are below e^-700 of the largest.
    terms = min(places, math.ceil(max(places - offered, 0) + 40 * math.sqrt(places) + 100))
    if places - offered > 40 * math.sqrt(places) + 100:
        return 0.0
    logs = np.concatenate([[0.0], np.cumsum(np.log((places - np.arange(terms)) / offered))])
    top = float(logs.max())
    return float(math.exp(-top) / np.exp(logs - top).sum())


def places_needed(offered: float, refused: float) -> int:
    """The fewest places at which no more than a share of the arrivals is refused."""
    low, high = 0, math.ceil(offered + 40 * math.sqrt(offered) + 100)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if erlang_b(middle, offered) > refused else (low, middle)
    return high


def refused_at(budget_bytes: Sequence[float] | Array, rate_per_s: float, hold_s: float, result_bytes: float) -> Array:
    """The share of new jobs that byte-budget refuses at each of these budgets, shape (n,).

    Args:
        budget_bytes: shape (n,).
        rate_per_s: jobs that arrive per second.
        hold_s: mean seconds for which a result may not be given up: until it is read, or else its time to live.
        result_bytes: what one takes.
    """
    return np.array([erlang_b(budget / result_bytes, rate_per_s * hold_s) for budget in budget_bytes])
