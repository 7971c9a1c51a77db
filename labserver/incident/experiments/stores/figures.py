"""The comparison's figures: twelve curves are too many for one pair of axes, so each store has its own small one."""

import csv
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import BLUE, GREEN, STYLE, VERMILLION
from labserver.incident.experiments.label import Label
from labserver.incident.experiments.stores.drain import RealDrain
from labserver.incident.experiments.stores.promises import BOUNDED_IN_BYTES
from labserver.incident.experiments.stores.store_run import StoreRun

STAYS, GOES, RECOMMENDED = VERMILLION, BLUE, GREEN
_COLUMNS = 4
_MB = 1e6
_NOTES = {"lost_unread": "{lost_unread} lost unread", "refused": "{refused} refused"}
# Words that stand on a line must not be crossed by it.
_ON_WHITE = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}


def kept_over_time(runs: Mapping[str, StoreRun], *, recommended: str, title: str) -> Figure:
    """Bytes kept against the script's clock, one small plot a store, all on the same axes' scales.

    Behind each curve, in grey, is that of the store that keeps everything, where it was measured.

    Args:
        runs: by the store's name.
        recommended: the store that is drawn in its own colour.
        title: says what the figure shows.
    """
    rows = -(-len(runs) // _COLUMNS)
    highest = max(run.peak_bytes for run in runs.values()) / _MB
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 0.8 + 1.75 * rows), layout="constrained")
        grid = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
        for axes, name in itertools.zip_longest(grid.flat, runs):
            if name is None:
                axes.set_axis_off()
                continue
            if "leaky" in runs and name != "leaky":
                _step(axes, runs["leaky"], color="0.8", linewidth=1)
            _store(axes, runs[name], recommended)
        grid[0, 0].set(ylim=(0, 1.12 * highest))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        figure.supxlabel("minutes by the script's clock", fontsize=10)
        figure.supylabel("images kept, MB", fontsize=10)
        return figure


def kept_title(run: StoreRun) -> Label:
    """What `kept_over_time` shows, and how one store fared: its peak, its budget and its end."""
    return Label(
        "The same load on every store: {store} peaks at {peak:.2f} MB (budget {budget:.2f}) and ends at {end:.2f}",
        store=run.store,
        peak=run.peak_bytes / _MB,
        budget=run.settings.budget_bytes / _MB,
        end=run.drained.kept_bytes / _MB,
    )


def peak_and_floor(runs: Mapping[str, StoreRun], *, title: str) -> Figure:
    """Each store's peak as a bar, and beside it what is left after the drain and what was lost unread, as words."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 0.9 + 0.36 * len(runs)), layout="constrained")
        axes = figure.add_subplot()
        places = np.arange(len(runs))
        peaks = np.array([run.peak_bytes for run in runs.values()]) / _MB
        floors = np.array([run.drained.kept_bytes for run in runs.values()]) / _MB
        axes.barh(places - 0.19, peaks, height=0.36, color=GOES, label="peak")
        axes.barh(places + 0.19, floors, height=0.36, color=STAYS, label="left after the drain")
        for place, peak, run in zip(places, peaks, runs.values(), strict=True):
            axes.annotate(_fate(run), (peak, place - 0.19), xytext=(5, 0), textcoords="offset points", va="center",
                          fontsize=9, bbox=_ON_WHITE)  # fmt: skip
        _mark_budget(axes, runs)
        axes.set_yticks(places, list(runs))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="images kept, MB", xlim=(0, max(peaks) * 1.42))
        axes.set_title(title, loc="left")
        axes.legend(loc="lower right")
        return figure


def real_drain(drain: RealDrain, *, title: str) -> Figure:
    """What each store kept of the same results, in real time: a row a store, filled while it keeps all of them."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 1.1 + 0.3 * len(drain.samples)), layout="constrained")
        axes = figure.add_subplot()
        for place, (name, samples) in enumerate(drain.samples.items()):
            at = [before for before, _, _ in samples]
            share = np.array([kept for _, _, kept in samples]) / drain.put_bytes
            colour = GOES if drain.gone_after_s(name) is not None else STAYS
            low, high = place + 0.4 - 0.8 * share, np.full(len(at), place + 0.4)
            axes.fill_between(at, low, high, color=colour, step="post", linewidth=0)
            if share[0] == 0:
                axes.text(at[0], place, "gone at once", va="center", fontsize=9)
        axes.set_yticks(range(len(drain.samples)), list(drain.samples))
        axes.set(
            xlabel="real seconds since the results were put", ylim=(len(drain.samples) - 0.4, -1.1), xlim=(0, None)
        )
        for end, label in ((drain.ttl_s, "TTL"), (drain.ttl_s + drain.sweep_s, "TTL + one sweep")):
            axes.axvline(end, color="0.25", linestyle=":", linewidth=1)
            first = label == "TTL"
            axes.annotate(label, (end, -0.75), xytext=(-4 if first else 4, 0), textcoords="offset points", fontsize=9,
                          va="center", ha="right" if first else "left")  # fmt: skip
        axes.grid(visible=False, axis="y")
        axes.set_title(title, loc="left")
        return figure


def _store(axes: Axes, run: StoreRun, recommended: str) -> None:
    stays = run.drained.kept_bytes > 0
    colour = RECOMMENDED if run.store == recommended else STAYS if stays else GOES
    _step(axes, run, color=colour, linewidth=1.6)
    if run.store in BOUNDED_IN_BYTES:
        axes.axhline(run.settings.budget_bytes / _MB, color="0.25", linestyle=":", linewidth=1)
    axes.set_title(run.store, loc="left", fontsize=10, color=colour, fontweight="bold")
    counts = {name: count for name in _NOTES if (count := getattr(run, name))}
    notes = Label("\n".join(_NOTES[name] for name in counts), **counts)
    axes.text(0.98, 0.84, notes, transform=axes.transAxes, ha="right", va="top", fontsize=8)
    axes.margins(x=0)


def _step(axes: Axes, run: StoreRun, **style: Any) -> None:
    minutes, kept = read_samples(run.curve, "clock_s") / 60, read_samples(run.curve, "kept_bytes") / _MB
    axes.plot(minutes, kept, drawstyle="steps-post", **style)


def _mark_budget(axes: Axes, runs: Mapping[str, StoreRun]) -> None:
    bounded = [run.settings.budget_bytes for name, run in runs.items() if name in BOUNDED_IN_BYTES]
    if bounded:
        axes.axvline(bounded[0] / _MB, color="0.25", linestyle=":", linewidth=1, label="the budget of bounded stores")


def _fate(run: StoreRun) -> str:
    words = [f"{run.lost_unread} lost unread"] * (run.lost_unread > 0)
    words += [f"{run.refused} refused, all taken later"] * (run.refused > 0)
    words += [f"{run.threads_peak} threads"] * (run.threads_peak > 1)
    return ", ".join(words)


def read_samples(path: Path, column: str) -> npt.NDArray[np.float64]:
    """One column of a store's samples, shape (n,)."""
    with path.open(newline="", encoding="utf-8") as file:
        return np.array([float(row[column]) for row in csv.DictReader(file)])
