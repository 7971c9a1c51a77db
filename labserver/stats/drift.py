"""What memory gains with each job where floors wander: the slope of a random walk with drift, read with noise.

Items of random size, or of few jobs, leave steps that stay: over more jobs they add up, as a random walk does. The
least-squares line takes the points' distance from it for noise that comes and goes, so that its interval is too narrow
by far: of leaks of 1 to 30 % of the jobs it misses every third one at least (tests/unit/stats/test_drift.py).
"""

import numpy as np

from labserver.stats.interval import Interval, require_a_slope
from labserver.stats.line import Array, Values
from labserver.stats.student import t_quantile

_STEPS = np.concatenate([[0.0], np.logspace(-0.5, 3, 8)])
"""What the walk adds from floor to floor, in standard deviations of a floor's noise: 0.3 to 1,000, or nothing."""
_NO_WALK = 0.3
"""How surely there is none, before anything is read. With 0.5, nine floors miss one leak in eight that a tenth of the
jobs leave, instead of one in thirteen; with 0.1, intervals of what has no walk are wider by a fifth."""
_PRIOR = np.concatenate([[_NO_WALK], np.full(len(_STEPS) - 1, (1 - _NO_WALK) / (len(_STEPS) - 1))])


def drift(jobs: Values, floors: Values, *, confidence: float, noise_bytes: float) -> Interval:
    """The drift of floors with finished jobs.

    The local level model with a fixed slope (Harvey, Forecasting, Structural Time Series Models and the Kalman Filter,
    1989, 2.3), by generalised least squares for each of some sizes of the walk, weighted by their restricted
    likelihood.

    Args:
        jobs: finished jobs at each floor, ascending, shape (n,), n ≥ 3, not all equal.
        floors: bytes at each floor, shape (n,).
        confidence: of the two-sided interval.
        noise_bytes: the least standard deviation a floor is believed to have.

    Raises:
        ValueError: there are fewer than three floors, or all at the same number of jobs.
    """
    require_a_slope(jobs, floors)
    slopes, variances, weights = _fits(
        np.asarray(jobs, dtype=np.float64), np.asarray(floors, dtype=np.float64), noise_bytes
    )
    slope = float(weights @ slopes)
    variance = float(weights @ (variances + (slopes - slope) ** 2))
    half = t_quantile((1 + confidence) / 2, len(jobs) - 2) * variance**0.5
    return Interval(slope, slope - half, slope + half, confidence)


def _fits(jobs: Array, floors: Array, noise_bytes: float) -> tuple[Array, Array, Array]:
    """The slope, its variance and the weight of each size of the walk, each of shape (9,)."""
    n = len(jobs)
    away, sizes = jobs - jobs[0], floors - floors[0]
    unit = away[-1] / (n - 1)
    # The walk's covariance of two floors is that at the earlier of them; its eigenvectors serve all sizes.
    values, vectors = np.linalg.eigh(np.minimum.outer(away, away) / unit)
    ones, line, read = vectors.T @ np.ones(n), vectors.T @ (away / unit), vectors.T @ sizes
    spread = 1 + _STEPS[:, None] ** 2 * np.maximum(values, 0.0)  # shape (9, n)
    a, b, c = (ones**2 / spread).sum(1), (ones * line / spread).sum(1), (line**2 / spread).sum(1)
    p, q = (ones * read / spread).sum(1), (line * read / spread).sum(1)
    determinant = a * c - b * b
    slope, level = (a * q - b * p) / determinant, (c * p - b * q) / determinant
    rest = read - level[:, None] * ones - slope[:, None] * line
    squares = (rest**2 / spread).sum(1)
    variance = np.maximum(squares / (n - 2), noise_bytes**2)
    likelihood = -0.5 * ((n - 2) * np.log(variance) + squares / variance + np.log(spread).sum(1) + np.log(determinant))
    weights = _PRIOR * np.exp(likelihood - likelihood.max())
    return slope / unit, variance * a / determinant / unit**2, weights / weights.sum()
