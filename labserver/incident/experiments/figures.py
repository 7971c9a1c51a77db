"""The figures of the suite: drawn without pyplot (which would keep each one), byte-stable as SVG and PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from labserver.heap.chain import Chain
from labserver.heap.meters import Reading
from labserver.heap.monitor import Curve
from labserver.heap.tracemalloc_tools import AllocationSite
from labserver.incident.experiments import broken_line as series
from labserver.stats.interval import Interval
from labserver.suite.picture import save_png, show_picture

# Okabe & Ito's palette, told apart by colour-blind readers too.
COLOURS = {"leaky": "#D55E00", "ttl": "#0072B2"}
_SPARE = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MIB = 2**20
STYLE: Any = {
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
    """Traced bytes against time, one curve per store, each from where its first load cycle began.

    What `labserver watch` wrote is drawn as well, by its resident bytes where the service tells of no heap. The line
    breaks where nothing was read and where another process began.

    Args:
        curves: by the store's name.
        title: says what the figure shows.
        ttl_s: where given, marks the instant at which the last results are this old.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.8), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, curve) in enumerate(curves.items()):
            seconds, memory = series.broken_line(curve)
            colour = _colour(name, number)
            axes.plot(seconds - _origin(curve), memory / _MIB, color=colour, label=name, linewidth=1.6)
            series.mark_events(axes, curve, _origin(curve), colour)
        first = next(iter(curves.values()))
        _shade_loads(axes, first)
        if ttl_s is not None:
            _mark_ttl(axes, first, ttl_s)
        axes.set(
            xlabel=(
                "seconds since the first load cycle (before it: the warm-up)"
                if _instants(first, "load")
                else "seconds since the first reading"
            ),
            ylabel=series.ylabel(curves.values()),
            ylim=(0, None),
        )
        axes.set_title(title, loc="left")
        axes.margins(x=0)
        # Above the plot: inside, a curve that falls and one that rises leave no corner free.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(curves) + 3, borderaxespad=0.2)
        return figure


def heap_over_jobs(
    floors: Mapping[str, Sequence[Reading]], slopes: Mapping[str, Interval], *, title: str, curve: Curve | None = None
) -> Figure:
    """Floors against finished jobs with the fitted line and its interval; a live curve behind it where given."""
    with mpl.rc_context(STYLE):
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
            colour = _colour(name, number)
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
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 0.9 + 0.36 * len(sites)), layout="constrained")
        axes = figure.add_subplot()
        growth = [site.growth_bytes / _MIB for site in sites]
        bars = axes.barh(range(len(sites)), growth, color=COLOURS["leaky"], height=0.6)
        axes.bar_label(bars, [_site_label(site) for site in sites], padding=4)
        axes.set_yticks(range(len(sites)), labels)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="growth, MiB", title=title, xlim=(0, max(growth, default=1) * 1.7))
        return figure


def chain_picture(chain: Chain, *, title: str, note: str = "") -> Figure:
    """A chain from the root at the top to the buffer at the bottom; edges are named as the code names them."""
    links = chain.links
    with mpl.rc_context(STYLE):
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
            axes.text(5, y + 0.36, link.title + kind + (f"  {note}" if last and note else ""), ha="center", va="center")
            if row:
                axes.annotate("", (5, y - 0.1), (5, y - 0.7), arrowprops={"arrowstyle": "->", "color": "0.4"})
                axes.text(5.15, y - 0.4, link.edge or "", va="center", family="monospace", fontsize=9, color="0.25")
        return figure


def save_figure(figure: Figure, run_dir: Path, name: str) -> str:
    """Write a figure as SVG, and as PNG beside it, below the run directory; the id of each text says how it is aligned.

    Returns:
        The SVG's path relative to the run directory: the evidence that a finding names.
    """
    path = run_dir / "figures" / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(figure.findobj(Text)):
        # With it the words can be put into another language later: see `figure_words`.
        text.set_gid(f"{text.get_horizontalalignment()}_{number}")
    with mpl.rc_context(STYLE):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        save_png(figure, path.with_suffix(".png"))
    return path.relative_to(run_dir).as_posix()


def show_figure(figure: Figure, run_dir: Path, name: str) -> str:
    """Save a figure and show it in the notebook; returns its evidence path."""
    evidence = save_figure(figure, run_dir, name)
    titles = [figure.get_suptitle(), *(axes.get_title(side) for axes in figure.axes for side in ("left", "center"))]
    show_picture(run_dir / evidence, "; ".join(" ".join(title.split()) for title in titles if title))
    return evidence


def _per_job(slope: Interval) -> str:
    return f"{slope.estimate / 1000:z,.1f} kB/job ({slope.low / 1000:z,.1f} to {slope.high / 1000:z,.1f})"


def _site_label(site: AllocationSite) -> str:
    size = f"{site.growth_bytes / _MIB:,.1f} MiB" if site.growth_bytes >= _MIB / 10 else f"{site.growth_bytes:,} B"
    return f"{size} in {site.growth_blocks:,} block{'s' if site.growth_blocks != 1 else ''}"


def _colour(name: str, number: int) -> str:
    return COLOURS.get(name, _SPARE[number % len(_SPARE)])


def _instants(curve: Curve, mark: str) -> list[float]:
    return [t for name, t in curve.marks if name == mark]


def _origin(curve: Curve) -> float:
    """Where the first load cycle began: the warm-up lies before it."""
    return next(iter(_instants(curve, "load")), float(curve.column("t_s")[0]))


def _shade_loads(axes: Axes, curve: Curve) -> None:
    origin = _origin(curve)
    for begin, end in zip(_instants(curve, "load"), _instants(curve, "drained"), strict=False):
        label = "load" if begin == origin else None
        axes.axvspan(begin - origin, end - origin, color="0.5", alpha=0.13, linewidth=0, label=label)


def _mark_ttl(axes: Axes, curve: Curve, ttl_s: float) -> None:
    drained = _instants(curve, "drained")
    if not drained:
        return
    at = drained[-1] - _origin(curve) + ttl_s
    axes.axvline(at, color="0.4", linestyle=":", linewidth=1)
    axes.annotate(
        f"the last results\nare {ttl_s:g} s old: one TTL",
        (at, 0.5),
        xycoords=("data", "axes fraction"),
        xytext=(-6, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=8,
        color="0.3",
    )
