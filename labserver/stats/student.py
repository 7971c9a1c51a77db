"""Quantiles of Student's t, so that the core needs no statistics package."""

import math
from functools import lru_cache


def t_cdf(t: float, dof: int) -> float:
    """P(T ≤ t) for integer degrees of freedom, by the finite series of Abramowitz & Stegun 26.7.3 and 26.7.4."""
    theta = math.atan(t / math.sqrt(dof))
    cos2 = math.cos(theta) ** 2
    term = 1.0 if dof % 2 == 0 else math.cos(theta)
    total = term if dof > 1 else 0.0
    for k in range(2 if dof % 2 == 0 else 3, dof, 2):
        term *= cos2 * (k - 1) / k
        total += term
    inside = math.sin(theta) * total
    if dof % 2:
        inside = 2 / math.pi * (theta + inside)
    return 0.5 + inside / 2


@lru_cache(maxsize=1024)
def t_quantile(p: float, dof: int) -> float:
    """The t below which a share p of the distribution lies.

    Args:
        p: above 0 and below 1.
        dof: degrees of freedom, at least 1.

    Raises:
        ValueError: p or dof is out of range.
    """
    if not 0 < p < 1 or dof < 1:
        raise ValueError(f"no t quantile for p = {p} and {dof} degrees of freedom: 0 < p < 1 and dof ≥ 1 are needed")
    if p < 0.5:
        return -t_quantile(1 - p, dof)
    low, high = 0.0, 1.0
    while t_cdf(high, dof) < p:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, dof) < p else (low, middle)
    return high
