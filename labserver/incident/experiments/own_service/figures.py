"""Several checks side by side: a figure of their floors."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.verdict import Verdict
from labserver.incident.experiments.figure import BLUE, STYLE, VERMILLION, draw_floors

_COLUMNS = 2
_LOWEST_IN = 3.2  # so high that the label of the ordinate is whole


def floors_by_service(results: Mapping[str, CheckResult]) -> Figure:
    """The memory at rest against measured jobs, one panel a service, each with the line that was fitted to it.

    Args:
        results: by the service's name.
    """
    rows = -(-len(results) // _COLUMNS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, max(0.6 + 2.1 * rows, _LOWEST_IN)), layout="constrained")
        panels = figure.subplots(rows, min(len(results), _COLUMNS), squeeze=False).ravel()
        for axes, (name, result) in zip(panels, results.items(), strict=False):
            colour = BLUE if result.verdict is Verdict.NO_LEAK else VERMILLION
            axes.set_title(f"{name}: {_per_job(result)}", fontsize=10, loc="left")
            if result.floors:
                jobs, size = np.array(result.floors, dtype=np.float64).T
                per_job = None if result.interval is None else result.interval.estimate / 1000
                draw_floors(axes, jobs, (size - size[0]) / 1000, per_job=per_job, colour=colour)
                # No axis is finer than the tolerance: noise must not look like a leak.
                low, high = axes.get_ylim()
                high = max(high, result.tolerance * max(jobs[-1], 1.0) / 1000)
                axes.set_ylim(min(low, -0.05 * high), high)
        for axes in panels[len(results) :]:
            axes.set_axis_off()
        figure.supxlabel("measured jobs", fontsize=10)
        figure.supylabel("memory at rest since the first floor, kB", fontsize=10)
        return figure


def _per_job(result: CheckResult) -> str:
    if result.interval is None:
        return str(result.verdict)
    if result.verdict is Verdict.NO_LEAK:
        return f"less than {max(result.interval.high, 1):,.0f} B/job"
    return f"{result.verdict}, {result.interval.estimate:,.0f} B/job"
