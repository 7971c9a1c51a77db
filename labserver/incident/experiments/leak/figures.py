"""The figures of the leak and of its fix: the heap against time and jobs, where it grew, and what holds it."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from labserver.heap.chain import Chain
from labserver.heap.meters import Reading
from labserver.heap.monitor import Curve
from labserver.heap.tracemalloc_tools import AllocationSite
from labserver.incident.experiments.figure import BLUE, STYLE, VERMILLION, colour_of, draw_floors
from labserver.incident.experiments.label import Label
from labserver.incident.experiments.leak.broken_line import broken_line, mark_events, memory_label
from labserver.incident.experiments.leak.trace import service_line
from labserver.incident.experiments.units import MIB, mebibytes
from labserver.stats.interval import Interval


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
            seconds, memory = broken_line(curve)
            colour = colour_of(name, number)
            axes.plot(seconds - _origin(curve), memory / MIB, color=colour, label=name, linewidth=1.6)
            mark_events(axes, curve, _origin(curve), colour)
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
            ylabel=memory_label(curves.values()),
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
                curve.column("traced_bytes") / MIB,
                color="0.75",
                linewidth=1,
                label="while the load runs",
            )
        for number, (name, readings) in enumerate(floors.items()):
            slope = slopes[name]
            draw_floors(
                axes,
                [reading.finished_jobs for reading in readings],
                np.array([reading.traced_bytes for reading in readings]) / MIB,
                per_job=slope.estimate / MIB,
                colour=colour_of(name, number),
                label=_floors_label(name, slope),
            )
        axes.set(xlabel="finished jobs", ylabel="traced heap, MiB", title=title, ylim=(0, None))
        axes.legend(loc="upper left")
        return figure


def growth_by_site(sites: Sequence[AllocationSite], *, title: str) -> Figure:
    """Growth per allocation site as bars, the largest at the top; each is called by its line in the service's code."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 0.9 + 0.36 * len(sites)), layout="constrained")
        axes = figure.add_subplot()
        growth = [site.growth_bytes / MIB for site in sites]
        bars = axes.barh(range(len(sites)), growth, color=VERMILLION, height=0.6)
        axes.bar_label(bars, [_site_label(site) for site in sites], padding=4)
        axes.set_yticks(range(len(sites)), [str(service_line(site.frames)) for site in sites])
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
            colour = VERMILLION if last else BLUE
            axes.add_patch(
                FancyBboxPatch((1.2, y), 7.6, 0.7, boxstyle="round,pad=0.1", facecolor="white", edgecolor=colour)
            )
            kind = "" if link.type in {link.name, "module"} else f"  ({link.type})"
            axes.text(5, y + 0.36, link.title + kind + (f"  {note}" if last and note else ""), ha="center", va="center")
            if row:
                axes.annotate("", (5, y - 0.1), (5, y - 0.7), arrowprops={"arrowstyle": "->", "color": "0.4"})
                axes.text(5.15, y - 0.4, link.words, va="center", family="monospace", fontsize=9, color="0.25")
        return figure


def _floors_label(store: str, slope: Interval) -> Label:
    kilobytes = {"rate": slope.estimate / 1000, "low": slope.low / 1000, "high": slope.high / 1000}
    return Label("{store} floors: {rate:,.1f} kB/job ({low:,.1f} to {high:,.1f})", store=store, **kilobytes)


def _site_label(site: AllocationSite) -> Label:
    size = mebibytes(site.growth_bytes, 1) if site.growth_bytes >= MIB / 10 else f"{site.growth_bytes:,} B"
    if site.growth_blocks == 1:
        return Label("{size} in 1 block", size=size)
    return Label("{size} in {blocks:,} blocks", size=size, blocks=site.growth_blocks)


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
        Label("the last results\nare {seconds:g} s old: one TTL", seconds=ttl_s),
        (at, 0.5),
        xycoords=("data", "axes fraction"),
        xytext=(-6, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=8,
        color="0.3",
    )
