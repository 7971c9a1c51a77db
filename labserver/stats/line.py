"""The straight line through points: the one fit of this package."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Values = Sequence[float] | Array


@dataclass(frozen=True, slots=True)
class Line:
    """A least-squares line, by its slope and the point that it runs through.

    Attributes:
        slope: what y gains with each x.
        x: the mean of the points' x, weighted as they are.
        y: the mean of their y.
        spread: the sum of the weighted squares of x about its mean, which the slope's error is divided by.
        rest: what the points' y lie above the line, shape (n,).
    """

    slope: float
    x: float
    y: float
    spread: float
    rest: Array

    @classmethod
    def through(cls, x: Values, y: Values, weights: Values | None = None) -> Self:
        """Lay a line through points.

        Args:
            x: shape (n,), not all equal.
            y: shape (n,).
            weights: of the points, above 0; all equal if not given.

        Raises:
            ValueError: there are not two points with differing x.
        """
        # Centred first: of floors of 20 MB that differ by some kB, the raw sums of squares would leave no digits.
        xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if xs.shape != ys.shape or xs.size < 2 or not (xs != xs[0]).any():
            raise ValueError(f"a line needs points at two or more differing x, got {xs.tolist()}")
        ws = np.ones_like(xs) if weights is None else np.asarray(weights, dtype=np.float64)
        x_mean, y_mean = float(ws @ xs / ws.sum()), float(ws @ ys / ws.sum())
        away = xs - x_mean
        spread = float(ws * away @ away)
        slope = float(ws * away @ (ys - y_mean)) / spread
        return cls(slope, x_mean, y_mean, spread, ys - y_mean - slope * away)

    @property
    def deviation(self) -> float:
        """The standard deviation of equally weighted points about the line; 0 for two points."""
        return float(np.sqrt(self.rest @ self.rest / max(self.rest.size - 2, 1)))
