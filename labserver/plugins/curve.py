"""A small curve of what a running check knows."""

import numpy as np

from labserver.amounts import number
from labserver.report.sketch import GROWTH, Frame, Points, svg_of


def interval_curve(looks: Points, *, tolerance: float) -> str:
    """The estimate against the measured jobs, and the interval as a band that narrows; empty where there is none yet.

    Args:
        looks: jobs, estimate, low and high of each look, shape (n, 4), bytes per job.
        tolerance: bytes per job, as a dashed line.
    """
    if not len(looks):
        return ""
    jobs, estimate, low, high = looks.T
    # The first intervals are so wide that nothing else could be seen beside them.
    middle = float(estimate[-1])
    reach = max(4 * float(high[-1] - middle), abs(middle - tolerance) * 1.3, tolerance)
    frame = Frame((0, float(jobs[-1])), (min(0, middle - reach), max(middle, tolerance) + reach))
    low, high = (np.clip(edge, *frame.y) for edge in (low, high))
    band = frame.points(np.concatenate([jobs, jobs[::-1]]), np.concatenate([low, high[::-1]]))
    parts = [
        f'<polygon points="{band}" fill="{GROWTH}" fill-opacity="0.2"/>',
        f'<polyline points="{frame.points(jobs, np.clip(estimate, *frame.y))}" fill="none" stroke="{GROWTH}"/>',
        frame.line(tolerance, "tolerance"),
        frame.label_y(middle, f"{number(middle)} B"),
        frame.label_x(f"{jobs[-1]:,.0f} jobs"),
    ]
    return svg_of(parts, "bytes per job and its interval, against measured jobs")
