"""The heap against time while a load runs, as a small drawing that costs next to nothing of the heap that it shows."""

import numpy as np

from labserver.heap.monitor import Curve
from labserver.incident.experiments.units import MIB
from labserver.report.sketch import GROWTH, Frame, svg_of

_POINTS = 240
"""More would not be seen."""


def live_curve(curve: Curve) -> str:
    """The traced heap so far as SVG; empty where there is too little for a line."""
    every = max(len(curve.rows) // _POINTS, 1)
    seconds = curve.elapsed_s[::every]
    heap = curve.column("traced_bytes")[::every] / MIB
    read = np.isfinite(heap)
    seconds, heap = seconds[read], heap[read]
    if len(heap) < 2:
        return ""
    frame = Frame((0.0, float(seconds[-1])), (0.0, 1.05 * float(heap.max())))
    line = f'<polyline points="{frame.points(seconds, heap)}" fill="none" stroke="{GROWTH}" stroke-width="1.5"/>'
    last = frame.label_y(float(heap[-1]), f"{heap[-1]:.1f} MiB")
    return svg_of([line, last, frame.label_x(f"{seconds[-1]:.0f} s")], "the traced heap against time")
