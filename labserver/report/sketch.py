"""A small drawing that is made anew while something runs: inline SVG, no script, and the notebook's own text colour."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

GROWTH, BOUND = "#D55E00", "#0072B2"  # Okabe & Ito's palette, told apart by colour-blind readers too

_WIDTH, _HEIGHT = 460, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 8, 18


class Frame:
    """Maps figures to pixels.

    Args:
        x: the least and the largest value across.
        y: the same upwards.
    """

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
        """The points of a polygon or a line."""
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in self.pixels(x, y))

    def line(self, y: float, name: str) -> str:
        """A dashed line across, with its name at the end."""
        (_, at), _ = self.pixels(np.array(self.x), np.array([y, y]))
        ends = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"'
        text = f'<text x="{_WIDTH - _RIGHT}" y="{at - 3:.1f}" text-anchor="end" fill="{BOUND}">{name}</text>'
        return f'<line {ends} stroke="{BOUND}" stroke-dasharray="4 3"/>{text}'

    def label_y(self, y: float, text: str) -> str:
        """A text at the axis upwards."""
        ((_, at),) = self.pixels(np.array([self.x[0]]), np.array([y]))
        return f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" fill="currentColor">{text}</text>'

    @staticmethod
    def label_x(text: str) -> str:
        """A text at the end of the axis across."""
        where = f'x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end"'
        return f'<text {where} fill="currentColor">{text}</text>'


def svg_of(parts: Sequence[str], title: str) -> str:
    """The drawing with its axes."""
    axes = f'<path d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" fill="none" stroke="currentColor"/>'
    head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" font-size="11">'
    return f"{head}<title>{title}</title>{axes}{''.join(parts)}</svg>"
