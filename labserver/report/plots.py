"""The figures of the suite: drawn without pyplot (which would keep each one), byte-stable as SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from labserver.diagnosis.verdict import Interval
from labserver.heap.chains import Chain
from labserver.heap.meters import Reading
from labserver.heap.monitor import Curve
from labserver.heap.tracemalloc_tools import AllocationSite

# Okabe & Ito's palette, told apart by colour-blind readers too.
COLOURS = {"leaky": "#D55E00", "ttl": "#0072B2"}
_SPARE = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MIB = 2**20
_STYLE: dict[str, Any] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 110,
    "font.size": 10,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.hashsalt": "labserver",  # without it the ids in the SVG differ from run to run
}


def heap_over_time(curves: Mapping[str, Curve], *, title: str, ttl_s: float | None = None) -> Figure:
    """Traced bytes against time, one curve per store; shaded where the load ran.

    Args:
        curves: by the store's name.
        title: says what the figure shows.
        ttl_s: drawn as an arrow after the last load where given: what a fixed store waits for.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 3.8), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, curve) in enumerate(curves.items()):
            t, traced = curve.elapsed_s, curve.column("traced_bytes") / _MIB
            colour = COLOURS.get(name, _SPARE[number % len(_SPARE)])
            axes.plot(t, traced, color=colour, label=name, linewidth=1.6)
            _shade_loads(axes, curve, colour, alpha=0.10 if len(curves) == 1 else 0.06)
        if ttl_s is not None:
            _mark_ttl(axes, curves, ttl_s)
        axes.set(xlabel="seconds", ylabel="traced heap, MiB", title=title, ylim=(0, None), xlim=(0, None))
        axes.legend(loc="upper left")
        return figure


def heap_over_jobs(
    floors: Mapping[str, Sequence[Reading]], slopes: Mapping[str, Interval], *, title: str, curve: Curve | None = None
) -> Figure:
    """Floors against finished jobs with the fitted line and its interval; a live curve behind it where given."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 3.8), layout="constrained")
        axes = figure.add_subplot()
        if curve is not None:
            axes.plot(
                curve.column("finished_jobs"),
                curve.column("traced_bytes") / _MIB,
                color="0.75",
                linewidth=1,
                label="while the load runs",
            )
        for number, (name, readings) in enumerate(floors.items()):
            colour = COLOURS.get(name, _SPARE[number % len(_SPARE)])
            jobs = np.array([reading.finished_jobs for reading in readings], dtype=float)
            traced = np.array([reading.traced_bytes for reading in readings]) / _MIB
            slope = slopes[name]
            line = traced.mean() + (jobs - jobs.mean()) * slope.estimate / _MIB
            axes.plot(jobs, line, color=colour, linewidth=1.2, alpha=0.7)
            axes.plot(jobs, traced, "o", color=colour, label=f"{name} floors: {_per_job(slope)}")
        axes.set(xlabel="finished jobs", ylabel="traced heap, MiB", title=title, ylim=(0, None))
        axes.legend(loc="upper left")
        return figure


def growth_by_site(sites: Sequence[AllocationSite], labels: Sequence[str], *, title: str) -> Figure:
    """Growth per allocation site as bars, the largest at the top."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 0.6 + 0.42 * len(sites)), layout="constrained")
        axes = figure.add_subplot()
        growth = [site.growth_bytes / _MIB for site in sites]
        bars = axes.barh(range(len(sites)), growth, color=COLOURS["leaky"], height=0.6)
        axes.bar_label(
            bars, [f" {value:,.2f} MiB in {s.growth_blocks:,} blocks" for value, s in zip(growth, sites, strict=True)]
        )
        axes.set_yticks(range(len(sites)), labels)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="growth, MiB", title=title, xlim=(0, max(growth, default=1) * 1.35))
        return figure


def chain_picture(chain: Chain, *, title: str, note: str = "") -> Figure:
    """A chain from the root at the top to the buffer at the bottom; edges are named as the code names them."""
    links = chain.links
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 0.75 * len(links) + 0.5), layout="constrained")
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set(xlim=(0, 10), ylim=(len(links) * 1.5, -0.6), title=title)
        for row, link in enumerate(links):
            y, last = row * 1.5, row == len(links) - 1
            colour = COLOURS["leaky"] if last else COLOURS["ttl"]
            axes.add_patch(
                FancyBboxPatch((1.2, y), 7.6, 0.7, boxstyle="round,pad=0.1", facecolor="white", edgecolor=colour)
            )
            kind = "" if link.type in {link.name, "module"} else f"  ({link.type})"
            axes.text(5, y + 0.36, link.name + kind + (f"  {note}" if last and note else ""), ha="center", va="center")
            if row:
                axes.annotate("", (5, y - 0.1), (5, y - 0.7), arrowprops={"arrowstyle": "->", "color": "0.4"})
                axes.text(5.15, y - 0.4, link.edge or "", va="center", family="monospace", fontsize=9, color="0.25")
        return figure


def save_figure(figure: Figure, run_dir: Path, name: str) -> str:
    """Write a figure as SVG below the run directory.

    Returns:
        Its path relative to the run directory: the evidence that a finding names.
    """
    path = run_dir / "figures" / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_STYLE):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    return path.relative_to(run_dir).as_posix()


def show_figure(figure: Figure, run_dir: Path, name: str) -> str:
    """Save a figure and show it in the notebook; returns its evidence path."""
    from IPython.display import SVG, display  # noqa: PLC0415 - only there in a notebook

    evidence = save_figure(figure, run_dir, name)
    display(SVG(data=(run_dir / evidence).read_text(encoding="utf-8")))
    return evidence


def _per_job(slope: Interval) -> str:
    return f"{slope.estimate / 1000:,.1f} kB/job ({slope.low / 1000:,.1f} to {slope.high / 1000:,.1f})"


def _shade_loads(axes: Axes, curve: Curve, colour: str, *, alpha: float) -> None:
    start = float(curve.column("t_s")[0])
    begins = [t - start for name, t in curve.marks if name == "load"]
    ends = [t - start for name, t in curve.marks if name == "drained"]
    for begin, end in zip(begins, ends, strict=False):
        axes.axvspan(begin, end, color=colour, alpha=alpha, linewidth=0)


def _mark_ttl(axes: Axes, curves: Mapping[str, Curve], ttl_s: float) -> None:
    curve = next(iter(curves.values()))
    drained = [t for name, t in curve.marks if name == "drained"]
    if not drained:
        return
    at = drained[-1] - float(curve.column("t_s")[0])
    axes.axvline(at + ttl_s, color="0.4", linestyle=":", linewidth=1)
    axes.annotate(
        f"one TTL ({ttl_s:g} s)\nafter the last load",
        (at + ttl_s, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-6, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
        color="0.3",
    )
