"""A small curve of what a running check knows, as inline SVG: no script, and the notebook's own text colour."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labserver.amounts import number

Points = npt.NDArray[np.float64]

_WIDTH, _HEIGHT = 460, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 8, 18
_GROWTH, _BOUND = "#D55E00", "#0072B2"  # Okabe & Ito's palette, told apart by colour-blind readers too


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
    frame = _Frame((0, float(jobs[-1])), (min(0, middle - reach), max(middle, tolerance) + reach))
    low, high = (np.clip(edge, *frame.y) for edge in (low, high))
    band = frame.points(np.concatenate([jobs, jobs[::-1]]), np.concatenate([low, high[::-1]]))
    parts = [
        f'<polygon points="{band}" fill="{_GROWTH}" fill-opacity="0.2"/>',
        f'<polyline points="{frame.points(jobs, np.clip(estimate, *frame.y))}" fill="none" stroke="{_GROWTH}"/>',
        frame.line(tolerance, "tolerance"),
        frame.label_y(middle, f"{number(middle)} B"),
        frame.label_x(f"{jobs[-1]:,.0f} jobs"),
    ]
    return _svg(parts, "bytes per job and its interval, against measured jobs")


class _Frame:
    """Maps figures to pixels."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x = x
        self.y = y

    def pixels(self, x: Points, y: Points) -> Points:
        """Shape (n, 2)."""
        across = (x - self.x[0]) / max(self.x[1] - self.x[0], 1e-9)
        up = (y - self.y[0]) / max(self.y[1] - self.y[0], 1e-9)
        wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return np.column_stack([_LEFT + across * wide, _TOP + (1 - up) * high])

    def points(self, x: Points, y: Points) -> str:
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in self.pixels(x, y))

    def line(self, y: float, name: str) -> str:
        (_, at), _ = self.pixels(np.array(self.x), np.array([y, y]))
        ends = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"'
        text = f'<text x="{_WIDTH - _RIGHT}" y="{at - 3:.1f}" text-anchor="end" fill="{_BOUND}">{name}</text>'
        return f'<line {ends} stroke="{_BOUND}" stroke-dasharray="4 3"/>{text}'

    def label_y(self, y: float, text: str) -> str:
        ((_, at),) = self.pixels(np.array([self.x[0]]), np.array([y]))
        return f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" fill="currentColor">{text}</text>'

    @staticmethod
    def label_x(text: str) -> str:
        where = f'x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end"'
        return f'<text {where} fill="currentColor">{text}</text>'


def _svg(parts: Sequence[str], title: str) -> str:
    axes = f'<path d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" fill="none" stroke="currentColor"/>'
    head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" font-size="11">'
    return f"{head}<title>{title}</title>{axes}{''.join(parts)}</svg>"
