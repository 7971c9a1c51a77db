"""The figures of the challenge to the fix: run length, steady state, bytes by rate and time to live, a slow job."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.incident.experiments.challenge.arrivals import Array
from labserver.incident.experiments.challenge.plateau import Cell, Grid, steady_means
from labserver.incident.experiments.challenge.run import Run
from labserver.incident.experiments.challenge.run_length import Noise, differences
from labserver.incident.experiments.challenge.slow_job import SlowJob
from labserver.incident.experiments.figure import BLUE, SKY, STYLE, VERMILLION
from labserver.incident.experiments.label import Label
from labserver.incident.experiments.steady_state import exhausting_rate
from labserver.incident.experiments.units import MIB, kilobytes_per_job
from labserver.stats.interval import Interval
from labserver.text import formatted

_LEAKY, _TTL = VERMILLION, BLUE
# Of the times to live, the shortest first: three blues of clearly different lightness.
_BLUES = (SKY, BLUE, "#003A5D")
_GREY = "0.35"
# Behind words that a line would cross.
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}
_TICKS = tuple(digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 5))


def run_curves(leaky: Sequence[Run], fixed: Sequence[Run], noise: Noise, apart: Sequence[float | None]) -> Figure:
    """The heaps against the run's length, and how far the fixed store's are from the leaky ones' at equal jobs.

    Args:
        leaky: the leaky runs.
        fixed: the runs with a time to live, the shortest first.
        noise: the test's limit.
        apart: the instant at which the test told each of them apart, or None.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 5.6), layout="constrained")
        heaps, above = figure.subplots(2, sharex=True)
        for number, run in enumerate(leaky):
            label = f"leaky, {len(leaky)} runs" if not number else None
            heaps.plot(run.since_s, run.heap / MIB, color=_LEAKY, linewidth=1, alpha=0.7, label=label)
        for number, run in enumerate(fixed):
            colour = _BLUES[number % len(_BLUES)]
            heaps.plot(run.since_s, run.heap / MIB, color=colour, linewidth=1.6, label=f"TTL {run.settings.ttl_s:g} s")
            _difference(above, run, noise, apart[number], colour)
        limit = noise.limit_bytes / leaky[0].result_bytes
        label = f"no difference at {formatted(noise.confidence, '.0%')}"
        above.axhspan(-limit, limit, color="0.5", alpha=0.18, linewidth=0, label=label)
        heaps.set(ylabel="traced heap above\nits start, MiB", ylim=(0, None))
        above.set(ylabel="fixed - leaky at equal\njobs, in results", xlabel="length of the run, seconds")
        heaps.set_title("The heaps of both stores, and how far they are apart", loc="left")
        heaps.legend(loc="upper left")
        above.plot([], [], color="0.4", linestyle=":", linewidth=1, label="one TTL")
        above.legend(loc="lower left")
        return figure


def _difference(axes: Axes, run: Run, noise: Noise, apart: float | None, colour: str) -> None:
    _, seconds, bytes_above = differences(run, noise)
    results = bytes_above / run.result_bytes
    axes.plot(seconds, results, color=colour, linewidth=1.4)
    axes.axvline(run.settings.ttl_s, color=colour, linestyle=":", linewidth=1)
    if apart is not None:
        point = apart, float(np.interp(apart, seconds, results))
        axes.plot(*point, "o", color=colour)
        words = f"told apart\nafter {apart:.2f} s"
        _say(axes, words, point, (-8, -4), ha="right", va="top", fontsize=8, color=colour, bbox=_WHITE)


def run_length(
    measured: Mapping[float, float | None],
    predicted: Mapping[float, tuple[float, float]],
    *,
    incident_ttl_s: float,
    incident_run_s: float,
) -> Figure:
    """The run length that tells the stores apart, against the time to live: measured, and predicted up to the incident.

    Args:
        measured: seconds by time to live; None where the test saw no difference.
        predicted: the soonest and the latest instant in seconds, by time to live; the incident's own included.
        incident_ttl_s: the incident's time to live.
        incident_run_s: how long the incident's load test ran.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.add_subplot()
        ttls = sorted(predicted)
        low, high = (np.array([predicted[ttl][end] for ttl in ttls]) for end in (0, 1))
        band = "predicted: from the soonest to the latest"
        axes.fill_between(ttls, low, high, color=_TTL, alpha=0.25, linewidth=0, label=band)
        seen = [(ttl, apart) for ttl, apart in measured.items() if apart is not None]
        axes.plot([ttl for ttl, _ in seen], [apart for _, apart in seen], "o", color=_TTL, label="measured")
        soonest, latest = predicted[incident_ttl_s]
        axes.plot([incident_ttl_s] * 2, [soonest, latest], color="black", linewidth=2.5)
        needs = Label("the incident's TTL needs\n{low:,.0f} to {high:,.0f} s", low=soonest, high=latest)
        _say(axes, needs, (incident_ttl_s, soonest), (-14, 10), ha="right", va="bottom")
        axes.plot(incident_ttl_s, incident_run_s, "X", color=_LEAKY, markersize=9)
        ran = Label("its load test ran {seconds:g} s", seconds=incident_run_s)
        _say(axes, ran, (incident_ttl_s, incident_run_s), (-10, 0), ha="right", va="center", color=_LEAKY)
        axes.set(xscale="log", yscale="log", xlabel="time to live, seconds", ylabel="length of the run, seconds")
        axes.set_ylim(top=6 * latest)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_title("How long a run must be to tell the stores apart", loc="left")
        axes.legend(loc="upper left")
        return figure


def steady_load(leaky: Run, fixed: Run, slopes: Mapping[str, Interval]) -> Figure:
    """The traced heap against finished jobs while the load goes on; the fixed store's also as sweep periods' means."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.8), layout="constrained")
        axes = figure.add_subplot()
        for name, run, colour in (("leaky", leaky, _LEAKY), ("ttl", fixed, _TTL)):
            above = (run.series.traced - run.series.traced[0]) / MIB
            axes.plot(run.series.finished[:, 0], above, color=colour, linewidth=0.9, alpha=0.5)
            slope = slopes[name]
            label = f"{name}: {kilobytes_per_job(slope)}"
            jobs, level = _straight(run, slope) if name == "leaky" else _means(fixed)
            axes.plot(jobs, level, "-" if name == "leaky" else "o", color=colour, label=label)
        settings = fixed.settings
        steady = steady_means(fixed)[0][0]
        words = f"steady: means of\nsweep periods of {settings.sweep_s:g} s"
        _say(axes, words, (steady, 0), (0, 6), fontsize=8, color=_GREY)
        axes.set(xlabel="finished jobs", ylabel="traced heap above its start, MiB", ylim=(0, None))
        axes.set_title("The heap against finished jobs, while the load goes on", loc="left")
        axes.legend(loc="upper left")
        return figure


def _straight(run: Run, slope: Interval) -> tuple[Array, Array]:
    above, finished = run.series.traced - run.series.traced[0], run.series.finished[:, 0]
    return run.jobs, (above.mean() + (run.jobs - finished.mean()) * slope.estimate) / MIB


def _means(run: Run) -> tuple[Array, Array]:
    jobs, traced = steady_means(run)
    return jobs, (traced - run.series.traced[0]) / MIB


def sawtooth(cell: Cell) -> Figure:
    """One service's kept bytes against time, with the predicted plateau and peak."""
    settings, series = cell.settings, cell.series
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(series.t_s, series.kept[:, 0] / MIB, color=_TTL, linewidth=1.4, label="kept by the store")
        lines = (
            ("peak: λ·(TTL + sweep)·bytes", cell.predicted_peak_bytes, "--"),
            ("plateau: λ·(TTL + sweep/2)·bytes", cell.predicted_mean_bytes, "-"),
        )
        for name, level, style in lines:
            axes.axhline(level / MIB, color="black", linestyle=style, linewidth=1, label=f"predicted {name}")
        axes.axvline(settings.ttl_s, ymax=0.75, color=_GREY, linestyle=":", linewidth=1)
        axes.annotate(" one TTL", (settings.ttl_s, 0.02), xycoords=("data", "axes fraction"), fontsize=8, color=_GREY)
        axes.set(xlabel="seconds since the first arrival", ylabel="kept bytes, MiB")
        axes.set_ylim(0, 1.45 * cell.predicted_peak_bytes / MIB)
        axes.margins(x=0)
        load = f"λ = {cell.rate_per_s:.1f}/s, TTL {settings.ttl_s:g} s, sweep {settings.sweep_s:g} s"
        title = f"{load}: bytes kept"
        axes.set_title(title, loc="left")
        axes.legend(loc="upper left", ncols=2, fontsize=9)
        return figure


def measured_against_predicted(grid: Grid) -> Figure:
    """Plateaus and peaks of all cells against the formulas, in the band of ±10 %."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        axes = figure.add_subplot()
        every = [cell.predicted_peak_bytes / MIB for cell in grid.cells]
        ends = np.array([min(every) * 0.6, max(every) * 1.4])
        axes.fill_between(ends, ends * 0.9, ends * 1.1, color="0.5", alpha=0.18, linewidth=0, label="±10 %")
        axes.plot(ends, ends, color="0.4", linewidth=1)
        ttls = sorted({cell.settings.ttl_s for cell in grid.cells})
        for number, ttl in enumerate(ttls):
            cells = [cell for cell in grid.cells if cell.settings.ttl_s == ttl]
            colour = (_TTL, _LEAKY)[number % 2]
            means = [(cell.predicted_mean_bytes, cell.mean_bytes) for cell in cells]
            peaks = [(cell.predicted_peak_bytes, cell.peak_bytes) for cell in cells]
            _scatter(axes, means, "o", colour, f"plateau, TTL {ttl:g} s")
            _scatter(axes, peaks, "^", colour, f"peak, TTL {ttl:g} s")
        axes.set(xscale="log", yscale="log", xlabel="predicted kept bytes, MiB", ylabel="measured kept bytes, MiB")
        _label_ticks(axes, ends)
        axes.set_title("Bytes kept: measured, and by the formula", loc="left")
        axes.legend(loc="upper left")
        return figure


def _label_ticks(axes: Axes, ends: Array) -> None:
    """Label 1, 2 and 5 of each decade on both axes, and nothing between them."""
    ticks = [tick for tick in _TICKS if ends[0] < tick < ends[1]]
    labels = [f"{tick:g}" for tick in ticks]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter("")


def _scatter(axes: Axes, pairs: Sequence[tuple[float, float]], marker: str, colour: str, label: str) -> None:
    predicted, measured = (np.array(values) / MIB for values in zip(*pairs, strict=True))
    filled = colour if marker == "o" else "none"
    axes.plot(predicted, measured, marker, color=colour, markerfacecolor=filled, label=label)


def rate_and_heap(
    heaps: Sequence[float], sizes: Sequence[float], *, ttl_s: float, sweep_s: float, rate_per_s: float
) -> Figure:
    """The arrival rate at which the store with a time to live fills a heap, by the size of a result.

    Args:
        heaps: sizes in bytes to be marked, ascending.
        sizes: what a result costs, in bytes: as measured, and what a larger one would.
        ttl_s: the time to live.
        sweep_s: seconds between two sweeps.
        rate_per_s: the incident's own rate.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.9), layout="constrained")
        axes = figure.add_subplot()
        span = np.array([heaps[0] / 4, heaps[-1] * 2])
        for size, colour in zip(sizes, (_TTL, _LEAKY), strict=True):
            words = f"{size / 1000:,.0f} kB" if size < 1e6 else f"{size / 1e6:g} MB"
            rates = [exhausting_rate(heap, ttl_s, sweep_s, size) for heap in span]
            axes.plot(span / MIB, rates, color=colour, label=Label("{size} a result", size=words))
            for heap in heaps:
                rate = exhausting_rate(heap, ttl_s, sweep_s, size)
                axes.plot(heap / MIB, rate, "o", color=colour)
                _say(axes, f"{rate:.1f}/s", (heap / MIB, rate), (5, -11), fontsize=8)
        label = Label("the incident's load test: {rate:g}/s", rate=rate_per_s)
        axes.axhline(rate_per_s, color=_GREY, linestyle=":", linewidth=1.2, label=label)
        axes.set(xscale="log", yscale="log", xlabel="heap for results, MiB", ylabel="jobs per second that fill it")
        axes.set_xticks([heap / MIB for heap in heaps], [f"{heap / MIB:,.0f}" for heap in heaps])
        axes.xaxis.set_minor_formatter("")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_title(Label("The rate at which results with a TTL of {ttl:g} s fill a heap", ttl=ttl_s), loc="left")
        axes.legend(loc="upper left")
        return figure


def slow_job(found: Sequence[SlowJob], *, ttl_s: float) -> Figure:
    """What became of one slow job, by the instant its age counts from: how long it ran, how long its result was had."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 2.4), layout="constrained")
        axes = figure.add_subplot()
        rows = range(len(found))
        done, kept = np.array([(job.done_s, job.kept_s) for job in found]).T
        axes.barh(rows, done, height=0.5, color="0.75", label="runs")
        axes.barh(rows, kept, left=done, height=0.5, color=_TTL, label="result: 200")
        axes.plot(done + kept, rows, "X", color=_LEAKY, markersize=8, linestyle="none", label="gone: 410")
        axes.axvline(ttl_s, color=_GREY, linestyle=":", linewidth=1.2, label=f"TTL after submission: {ttl_s:g} s")
        axes.set_yticks(range(len(found)), [f"age counted\nfrom {job.age_from}" for job in found])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="seconds since the job was submitted")
        axes.set_title("One slow job, by what the age of its result counts from", loc="left")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return figure


def _say(axes: Axes, words: str, point: tuple[float, float], away: tuple[float, float], **style: Any) -> None:
    """Write words so many points away from a point."""
    axes.annotate(words, point, away, textcoords="offset points", **({"fontsize": 9} | style))
