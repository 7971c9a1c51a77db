"""The queue M/D/∞ as a picture: results come at random, each stays equally long, and none waits for another.

S. G. Eick, W. A. Massey, W. Whitt, "The physics of the Mt/G/∞ queue", Operations Research 41, 1993.
"""

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import BLUE, SKY, STYLE, VERMILLION

Array = npt.NDArray[np.float64]

_SEED = 5


def poisson_arrivals(rate_per_s: float, seconds: float, seed: int = _SEED) -> Array:
    """Instants of Poisson arrivals, in seconds, shape (n,)."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate_per_s * seconds)))


def kept(arrivals: Array, stay_s: float, instants: Array) -> npt.NDArray[np.int64]:
    """How many are kept at each instant, where each arrival stays equally long."""
    came = np.searchsorted(arrivals, instants, "right")
    gone = np.searchsorted(arrivals + stay_s, instants, "right")
    return (came - gone).astype(np.int64)


def infinite_servers(rate_per_s: float = 2.0, stay_s: float = 5.0, seconds: float = 30.0) -> Figure:
    """Each result as a bar from its completion to its end, and below how many are kept at the same time."""
    arrivals = poisson_arrivals(rate_per_s, seconds)
    instants = np.linspace(0, seconds, 1500)
    mean = rate_per_s * stay_s
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.0), layout="constrained")
        bars, counts = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        bars.hlines(np.arange(len(arrivals)), arrivals, arrivals + stay_s, color=BLUE, linewidth=1.6)
        bars.set(ylabel="results, one a line", ylim=(-2, len(arrivals) + 1))
        law = f"{rate_per_s:g} results a second, each stays {stay_s:g} s"
        bars.set_title(f"M/D/∞: {law}", loc="left", fontsize=10)
        counts.step(instants, kept(arrivals, stay_s, instants), where="post", color=VERMILLION, label="kept")
        counts.axhline(mean, color="0.25", linestyle="--", linewidth=1.2, label=f"λ·TTL = {mean:g}")
        band = "Poisson: ± √(λ·TTL)"
        counts.axhspan(mean - mean**0.5, mean + mean**0.5, color=SKY, alpha=0.25, linewidth=0, label=band)
        counts.set(xlabel="seconds", ylabel="kept at once", xlim=(0, seconds), ylim=(0, None))
        counts.legend(loc="lower right", ncols=3, fontsize=8.5)
        return figure
