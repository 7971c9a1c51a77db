"""The figures of the page on how a check decides: checks of simulated servers, recorded while they are made.

    python tests/bench/decision_figures.py

It writes docs/images/decides_*.svg, the same bytes every time. The check is the real one; the server, its noise and its
clock are those of `verdict_simulate.py`.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parent))

from simulated_server import GRID, Server, Simulated, Store
from verdict_simulate import NOISE_FILE, WARM_UP

from labserver.diagnosis.measure.check import measure
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.diagnosis.result import CheckResult
from labserver.heap.heap_growth import HeapGrowth, Removal
from labserver.heap.wire import BaselineTaken, FloorReading
from labserver.stats.interval import Interval

FOLDER = Path(__file__).parents[2] / "docs" / "images"
SEED = 7
TOLERANCE = MeasureOptions().tolerance
KIB = 1024
# What stays, and what is let go. These and the grey have a contrast of 3 and 4.5 both to a white and to a black page.
LEAK, CLEAN, GREY = "#D55E00", "#2F83C4", "#767676"
WIDTH_IN = 5.2  # a phone shows all of it, with letters that can be read
STYLE = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": 10,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
    "savefig.facecolor": "none",
    "svg.fonttype": "path",
    "svg.hashsalt": "labserver",
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


@dataclass(slots=True)
class Record:
    """What a check did, in order.

    Attributes:
        floors: jobs since the start, and bytes, at each reading at rest.
        phases: the phase of each of them.
        intervals: measured jobs, and the interval that was known from them.
        kept: jobs since the start, and items in the store, at each look.
        cohorts: of the store, at each look since a baseline, for each of these.
        result: the answer.
    """

    floors: list[tuple[int, int]] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    intervals: list[tuple[int, Interval]] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)
    cohorts: list[list[tuple[int, ...]]] = field(default_factory=list)
    result: CheckResult | None = None


class Recorded(Simulated):
    """A simulated server that writes down what is asked of it."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.record = Record()

    def drive(self, jobs: int) -> int:
        """Run so many jobs; what is known by then is known from the floors before them."""
        if self.interval is not None:
            self.record.intervals.append((self.jobs, self.interval))
        done = super().drive(jobs)
        for _, (came, gone) in self._stores():
            self.record.kept.append((self._done, came - gone))
        return done

    def floor(self, **options: object) -> FloorReading:
        """The memory at rest."""
        reading = super().floor(**options)
        self.record.floors.append((self._done, reading.heap_bytes))
        self.record.phases.append(self._phase)
        return reading

    def baseline(self, **options: object) -> BaselineTaken:
        """Remember what is there."""
        self.record.cohorts.append([])
        return super().baseline(**options)

    def growth(self) -> HeapGrowth:
        """What has come since the baseline."""
        grown = super().growth()
        self.record.cohorts[-1] += [one.cohorts for one in grown.holders or grown.remembered]
        return grown


def checked(server: Server) -> Record:
    """Check a simulated server as a real one is checked, and give what was recorded."""
    recorded = Recorded(server)
    recorded.record.result = measure(MeasureOptions(), recorded, recorded, name="simulated")
    return recorded.record


def server(*stores: Store, seed: int = SEED) -> Server:
    """A server with the noise of a real one that keeps documents, with a warm-up's tail, and these stores."""
    rng = np.random.default_rng(seed)
    quantiles = json.loads(NOISE_FILE.read_text(encoding="utf-8"))["documents"]["quantiles"]
    at = np.linspace(0, 1, len(quantiles))
    trend = 2e7 + 12_000 * (1 - np.exp(-GRID / 120))
    return Server(trend, lambda: float(np.interp(rng.random(), at, quantiles)), stores)


def one_a_job(item_bytes: float, gone: Callable[[int, float], int] = lambda _came, _seconds: 0, **known: Any) -> Store:
    """A store that gets an item of every job, those of the warm-up before."""
    return Store(WARM_UP + GRID.astype(float), item_bytes, gone, **known)


def interval_figure() -> Figure:
    """What is read at rest, and how the interval narrows until it lies on one side of the tolerance."""
    records = {
        "keeps 1 kB of every job": (checked(server(one_a_job(1000.0))), LEAK),
        "keeps nothing": (checked(server()), CLEAN),
    }
    figure = Figure(figsize=(WIDTH_IN, 5.4), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    for label, (record, colour) in records.items():
        measured = [one for one, phase in zip(record.floors, record.phases, strict=True) if phase == "measuring"]
        jobs, size = (np.array(values, dtype=float) for values in zip(*measured, strict=True))
        jobs, size = jobs - jobs[0], (size - size[0]) / KIB
        shown = jobs <= 400
        above.plot(jobs[shown], size[shown], "o-", color=colour, markersize=4, linewidth=1, label=label)
        known = [(at, found) for at, found in record.intervals if at <= 400]
        at = np.array([at for at, _ in known]) + (3 if colour == LEAK else -3)
        low, middle, high = np.array([(one.low, one.estimate, one.high) for _, one in known]).T
        below.errorbar(at, middle, (middle - low, high - middle), fmt="o", color=colour, markersize=4, capsize=3)
    above.plot([0, 400], [0, 400 * TOLERANCE / KIB], "--", color=GREY, linewidth=1, label="the tolerance")
    above.set(title="Memory at rest: one reading after every 50 jobs", ylabel="KiB since the first")
    above.legend(loc="upper left")
    below.axhline(TOLERANCE, linestyle="--", color=GREY, linewidth=1)
    below.set(
        title="Bytes per job, with the interval of 99 %", ylabel="B per job", xlabel="measured jobs", ylim=(-800, 1800)
    )
    return figure


def challenge_figure() -> Figure:
    """A cache and a leak, which look the same until the cache is full."""
    bound = 3000
    removal = Removal(seen=True, by="Cache.set (shop/cache.py:41)")
    cache = checked(server(one_a_job(2000.0, lambda came, _: max(came - bound, 0), removal=removal)))
    leak = checked(server(one_a_job(2000.0, removal=removal)))
    figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
    axes = figure.subplots()
    for label, record, colour, most in (("leak", leak, LEAK, None), ("cache", cache, CLEAN, bound)):
        last = max(jobs for jobs, _ in record.kept)
        jobs = np.arange(last + 1)
        axes.plot(jobs, np.minimum(jobs, most) if most else jobs, color=colour, linewidth=1.5, label=label)
        axes.plot(
            *zip(*(one for one in record.kept if one[0] >= WARM_UP), strict=True), "o", color=colour, markersize=3
        )
    begins = next(
        jobs for (jobs, _), phase in zip(leak.floors, leak.phases, strict=True) if phase.startswith("challeng")
    )
    axes.axvline(begins, linestyle="--", color=GREY, linewidth=1)
    axes.annotate("challenged →", (begins, 5500), (6, 0), textcoords="offset points", color=GREY)
    axes.set(title="A cache that fills and a leak, until one of them is full", xlabel="jobs", ylabel="entries kept")
    axes.set(xlim=(0, 8000), ylim=(0, 8000))  # the leak was followed three times as far
    axes.legend(loc="lower right")
    return figure


def survival_figure() -> Figure:
    """What each look finds, by the look that saw it first."""
    stores = {
        "A leak keeps its oldest": one_a_job(2000.0),
        "What expires does not": one_a_job(2000.0, lambda came, _: max(came - 600, 0)),
    }
    figure = Figure(figsize=(WIDTH_IN, 5.4), layout="constrained")
    for axes, (title, store), colour in zip(figure.subplots(2), stores.items(), (LEAK, CLEAN), strict=True):
        looks = max(checked(server(store)).cohorts, key=len)
        for number, cohorts in enumerate(looks, 1):
            draw_cohorts(axes, number, cohorts, colour)
        axes.set(title=title, ylabel="entries", xticks=range(1, len(looks) + 1))
    axes.set_xlabel("look")
    return figure


def draw_cohorts(axes: Axes, number: int, cohorts: tuple[int, ...], colour: str) -> None:
    """Draw a look as a column: the oldest entries at the bottom, in the strongest colour."""
    bottom = 0
    for age, count in enumerate(cohorts):
        axes.bar(
            number, count, 0.6, bottom, color=colour, alpha=max(1 - 0.16 * age, 0.15), edgecolor=GREY, linewidth=0.5
        )
        bottom += count


FIGURES = {
    "decides_interval": interval_figure,
    "decides_challenge": challenge_figure,
    "decides_survival": survival_figure,
}


def main() -> None:
    """Draw all of them."""
    with mpl.rc_context(STYLE):
        for name, draw in FIGURES.items():
            draw().savefig(FOLDER / f"{name}.svg", metadata={"Date": None, "Creator": None})
            print(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
