"""Curves with holes: a line breaks where nothing was read and where another process began, and says so."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from labserver.heap.monitor import Curve

_BREAKS = ("restart", "another process answers")


def memory(curve: Curve) -> npt.NDArray[np.float64]:
    """The heap's bytes, or the resident ones where the heap was never read; shape (n,)."""
    heap = curve.column("traced_bytes")
    return heap if np.isfinite(heap).any() or not heap.size else curve.column("resident_bytes")


def memory_label(curves: Iterable[Curve]) -> str:
    """What is on the axis: an experiment's traced heap, the heap a watched service tells of, or resident memory."""
    curves = list(curves)
    if not any(np.isfinite(curve.column("traced_bytes")).any() for curve in curves):
        return "resident memory, MiB"
    return "traced heap, MiB" if any(name == "load" for curve in curves for name, _ in curve.marks) else "heap, MiB"


def broken_line(curve: Curve) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times in seconds and bytes, with a NaN before each reading of another process: there the line breaks."""
    t, bytes_ = curve.column("t_s"), memory(curve)
    breaks = np.flatnonzero(np.isin(t, [at for name, at in curve.marks if name in _BREAKS]))
    return np.insert(t, breaks, t[breaks]), np.insert(bytes_, breaks, np.nan)


def gaps(curve: Curve) -> Iterator[tuple[float, float]]:
    """From the last reading before each hole to the first after it, seconds on the curve's clock."""
    t, missing = curve.column("t_s"), np.isnan(memory(curve))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(int)))
    for begin, end in edges.reshape(-1, 2):
        yield float(t[max(begin - 1, 0)]), float(t[min(end, len(t) - 1)])


def mark_events(axes: Axes, curve: Curve, origin: float, colour: str) -> None:
    """Hatch the holes and draw a stroke at each restart, each kind once in the legend."""
    _, known = axes.get_legend_handles_labels()
    label: str | None
    for begin, end in gaps(curve):
        label, known = (None if "no reading" in known else "no reading"), [*known, "no reading"]
        axes.axvspan(
            begin - origin, end - origin, facecolor="none", edgecolor="0.6", hatch="///", linewidth=0, label=label
        )
    for (_, before), (name, at) in pairwise([("", 0.0), *curve.marks]):
        if name in _BREAKS and at != before:
            label, known = (None if name in known else name), [*known, name]
            axes.axvline(at - origin, color=colour, linestyle="--", linewidth=1.2, label=label)
