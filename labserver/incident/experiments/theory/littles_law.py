"""Little's law as a picture: one area, counted in two ways.

J. D. C. Little, "A proof for the queuing formula: L = λW", Operations Research 9, 1961.
"""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import BLUE, SKY, STYLE, VERMILLION
from labserver.incident.experiments.measured import Measured

Array = npt.NDArray[np.float64]

_ARRIVALS, _SECONDS, _SERVICE_S = 14, 10.0, 0.55


@dataclass(frozen=True, slots=True)
class Visits(Measured):
    """Who comes and goes: instants in seconds, each of shape (n,), the first to come is the first to go."""

    came_s: Array
    went_s: Array

    @property
    def instants_s(self) -> Array:
        """0 and all instants at which somebody comes or goes, ascending."""
        return np.sort(np.concatenate([[0.0], self.came_s, self.went_s]))

    @property
    def rate_per_s(self) -> float:
        """λ: arrivals per second, from the first instant until the last one has gone."""
        return len(self.came_s) / float(self.went_s[-1])

    @property
    def mean_stay_s(self) -> float:
        """W: seconds that one stays, on average."""
        return float((self.went_s - self.came_s).mean())

    @property
    def mean_number(self) -> float:
        """L: how many are there, on average over time: the area between the steps ÷ the time."""
        instants = self.instants_s
        there = np.searchsorted(self.came_s, instants, "right") - np.searchsorted(self.went_s, instants, "right")
        return float((there[:-1] * np.diff(instants)).sum() / instants[-1])


def visits(seed: int = 3) -> Visits:
    """Random arrivals at one server, which serves one after the other."""
    came = np.sort(np.random.default_rng(seed).uniform(0, _SECONDS * 0.8, _ARRIVALS))
    went = np.empty_like(came)
    free = 0.0
    for number, instant in enumerate(came):
        free = went[number] = max(instant, free) + _SERVICE_S
    return Visits(came, went)


def littles_law() -> Figure:
    """Arrivals and departures so far against time: the area between them is both sides of Little's law."""
    found = visits()
    ends = float(found.went_s[-1])
    counts = np.arange(len(found.came_s) + 1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        axes = figure.add_subplot()
        came = np.concatenate([[0.0], found.came_s, [ends]])
        went = np.concatenate([[0.0], found.went_s, [ends]])
        tops = np.concatenate([counts, counts[-1:]])
        axes.step(came, tops, where="post", color=VERMILLION, label="arrivals so far")
        axes.step(went, tops, where="post", color=BLUE, label="departures so far")
        instants = found.instants_s
        above, below = (np.searchsorted(steps, instants, "right") for steps in (found.came_s, found.went_s))
        axes.fill_between(instants, below, above, color=SKY, alpha=0.25, linewidth=0, step="post")
        _measure_stay(axes, found)
        _measure_number(axes, found)
        law = f"L = {found.mean_number:.2f} there; λ·W = {found.rate_per_s:.2f}/s × {found.mean_stay_s:.2f} s"
        product = found.rate_per_s * found.mean_stay_s
        axes.set(xlabel="seconds", ylabel="how many", xlim=(0, ends), ylim=(0, len(found.came_s) + 1.5))
        axes.set_title(f"Little's law, one area counted twice: {law} = {product:.2f}", loc="left", fontsize=10)
        axes.legend(loc="upper left")
        return figure


def _measure_stay(axes: Axes, found: Visits) -> None:
    """Mark how long one of them stays: a distance along the axis of time."""
    number = len(found.came_s) // 2
    y = number + 0.5
    axes.annotate("", (found.went_s[number], y), (found.came_s[number], y), arrowprops={"arrowstyle": "<->"})
    axes.annotate(
        "how long one stays", (found.went_s[number], y), (6, -4), textcoords="offset points", fontsize=9, va="top"
    )


def _measure_number(axes: Axes, found: Visits) -> None:
    """Mark how many are there at one instant: a distance along the other axis."""
    instant = float(found.came_s[-3]) + 0.01
    above = int(np.searchsorted(found.came_s, instant, "right"))
    below = int(np.searchsorted(found.went_s, instant, "right"))
    axes.annotate("", (instant, above), (instant, below), arrowprops={"arrowstyle": "<->"})
    axes.annotate(
        "how many are there", (instant, above), (-4, 4), textcoords="offset points", fontsize=9, ha="right", va="bottom"
    )
