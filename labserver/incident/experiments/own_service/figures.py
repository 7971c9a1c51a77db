"""Several checks side by side: a figure of their floors, and a table of their answers."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.verdict import Verdict
from labserver.incident.experiments.figures import COLOURS
from labserver.incident.experiments.tables import table

_STYLE: Any = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "grid.alpha": 0.25,
    "svg.hashsalt": "labserver",
}
_COLUMNS = 2


def floors_by_service(results: Mapping[str, CheckResult]) -> Figure:
    """The memory at rest against measured jobs, one panel a service, each with the line that was fitted to it.

    Args:
        results: by the service's name.
    """
    rows = -(-len(results) // _COLUMNS)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 0.6 + 2.1 * rows), layout="constrained")
        panels = figure.subplots(rows, min(len(results), _COLUMNS), squeeze=False).ravel()
        for axes, (name, result) in zip(panels, results.items(), strict=False):
            colour = COLOURS["ttl" if result.verdict is Verdict.NO_LEAK else "leaky"]
            axes.set_title(f"{name}: {_per_job(result)}", fontsize=10, loc="left")
            if result.floors:
                jobs, size = np.array(result.floors, dtype=np.float64).T
                grown = (size - size[0]) / 1000
                axes.plot(jobs, grown, "o", color=colour, markersize=4)
                if result.interval is not None:
                    line = grown.mean() + (jobs - jobs.mean()) * result.interval.estimate / 1000
                    axes.plot(jobs, line, color=colour, linewidth=1.2, alpha=0.7)
                # No axis is finer than the tolerance: noise must not look like a leak.
                low, high = axes.get_ylim()
                high = max(high, result.tolerance * max(jobs[-1], 1.0) / 1000)
                axes.set_ylim(min(low, -0.05 * high), high)
        for axes in panels[len(results) :]:
            axes.set_axis_off()
        figure.supxlabel("measured jobs", fontsize=10)
        figure.supylabel("memory at rest since the first floor, kB", fontsize=10)
        return figure


def answers(results: Mapping[str, CheckResult]) -> str:
    """A row a service: verdict, bytes per job with their interval, the first holder and its share, as Markdown."""
    return table(
        ["service", "verdict", "kept of every job", "held by", "its share"],
        [
            [f"`{name}`", str(result.verdict), str(result.interval or "—"), *_holder(result)]
            for name, result in results.items()
        ],
    )


def _holder(result: CheckResult) -> list[str]:
    if not result.holders:
        return ["—", "—"]
    first = result.holders[0]
    return [f"`{first.path}`", f"{first.share_of_growth:.0%}"]


def _per_job(result: CheckResult) -> str:
    if result.interval is None:
        return str(result.verdict)
    if result.verdict is Verdict.NO_LEAK:
        return f"less than {max(result.interval.high, 1):,.0f} B/job"
    return f"{result.verdict}, {result.interval.estimate:,.0f} B/job"
