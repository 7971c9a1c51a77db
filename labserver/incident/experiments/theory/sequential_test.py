"""Why a test that looks again and again needs a wider limit.

A. Wald, "Sequential tests of statistical hypotheses", Annals of Mathematical Statistics 16, 1945. The limit drawn here
is Bonferroni's: it shares the error out over all looks.
"""

from statistics import NormalDist

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import BLUE, STYLE, VERMILLION
from labserver.text import formatted

LOOKS = 60
_SEED = 13  # a run in which chance alone goes beyond the narrower limit once


def limit(confidence: float, looks: int) -> float:
    """How many standard deviations a difference may be off by chance, with the error shared out over some looks."""
    return NormalDist().inv_cdf(1 - (1 - confidence) / (2 * looks))


def false_alarms(confidence: float, looks: int, *, shared_over: int) -> float:
    """The share of runs without any difference in which at least one look of so many lies beyond the limit.

    For looks that say nothing of one another: the worst case.
    """
    beyond = 2 * (1 - NormalDist().cdf(limit(confidence, shared_over)))
    return 1 - (1 - beyond) ** looks


def sequential_test(confidence: float = 0.99) -> Figure:
    """One run without a difference between two limits, and how often each limit is overrun by chance."""
    noise = np.random.default_rng(_SEED).normal(size=LOOKS)
    numbers = range(1, LOOKS + 1)
    number = np.array(numbers)
    limits = (("for one look", 1, VERMILLION), (f"shared out over {LOOKS} looks", LOOKS, BLUE))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        left.plot(number, noise, "o", color="0.4", markersize=3.5)
        for label, shared, colour in limits:
            height = limit(confidence, shared)
            for sign in (-1, 1):
                left.axhline(sign * height, color=colour, linewidth=1.3, label=f"limit {label}" if sign > 0 else None)
            alarms = [false_alarms(confidence, looks, shared_over=shared) for looks in numbers]
            right.plot(numbers, alarms, color=colour)
            outside = np.abs(noise) > height
            left.plot(number[outside], noise[outside], "o", color=colour, markersize=8, markerfacecolor="none")
        left.set(xlabel="look", ylabel="difference, in standard deviations", ylim=(-4.4, 5.8))
        left.set_title("No difference at all, looked at again and again", loc="left", fontsize=10)
        left.legend(loc="upper left", fontsize=8.5)
        right.set(xlabel="looks", ylabel="runs with a false alarm", ylim=(0, None))
        right.yaxis.set_major_formatter(lambda share, _: formatted(share, ".0%"))
        right.set_title("False alarms", loc="left", fontsize=10)
        return figure
