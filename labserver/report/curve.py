"""The floors of a check as a drawing: growth against finished jobs, with the fitted slope and its interval.

The page's style sheet colours it by its classes; what a notebook shows of it has no style sheet, and takes the colours
that stand in the drawing itself.
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from labserver.amounts import number, unit_of
from labserver.diagnosis.fact import NoteKind
from labserver.diagnosis.result import CheckResult
from labserver.report.headline import span
from labserver.stats.interval import Interval
from labserver.stats.line import Line

_LEAST_FLOORS = 3
_GROWTH, _BOUND = "#D55E00", "#0072B2"  # Okabe & Ito's palette, told apart by colour-blind readers too
_TEXT = 'fill="currentColor" font-size="12"'
_MIDDLE = f'text-anchor="middle" {_TEXT}'

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """The room for a drawing, in pixels: its whole size, and where in it the plot lies.

    Attributes:
        name: what tells it apart from others on the same page.
        ticks: at most so many on each axis, about.
    """

    name: str
    width: int
    height: int
    left: int
    right: int
    ticks: int
    top: int = 16
    bottom: int = 44


# The last number on the axis reaches into the right margin.
WIDE = Place("plot", 760, 320, left=78, right=30, ticks=6)
NARROW = Place("narrow-plot", 360, 270, left=70, right=26, ticks=4)


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to the drawing's pixels."""

    low: Point
    high: Point
    place: Place

    def __call__(self, point: Point) -> Point:
        place = self.place
        across = (point[0] - self.low[0]) / (self.high[0] - self.low[0])
        up = (point[1] - self.low[1]) / (self.high[1] - self.low[1])
        x = place.left + across * (place.width - place.left - place.right)
        return x, place.height - place.bottom - up * (place.height - place.top - place.bottom)

    def list(self, points: Sequence[Point]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self, points))


def is_fitted(result: CheckResult) -> bool:
    """Whether the interval is the slope of the floors: not where part of them is known to be let go of again."""
    return result.interval is not None and all(note.kind is not NoteKind.LETS_GO for note in result.noted)


def curve_of(result: CheckResult, place: Place = WIDE) -> str:
    """The drawing as SVG to put into a page; empty for fewer than three floors."""
    if len(result.floors) < _LEAST_FLOORS:
        return ""
    floors = _from_zero(result.floors)
    fit = _Fit.of(floors, result.interval) if result.interval is not None and is_fitted(result) else None
    allowed = [(jobs, result.tolerance * jobs) for jobs in (0.0, floors[-1][0])]
    shown = [*floors, *allowed, *(fit.band if fit else [])]
    scale = _scale([x for x, _ in shown], [y for _, y in shown], place)
    # A page may have many drawings, and an id is the first one's that has it.
    plot = f"{place.name}-{zlib.crc32(repr(shown).encode()):08x}"
    clipped = f'clip-path="url(#{plot})"'
    parts = [*_grid(scale)]
    if fit is not None:
        parts.append(
            f'<polygon class="band" points="{scale.list(fit.band)}" fill="{_GROWTH}" fill-opacity="0.2" {clipped}/>'
        )
        parts.append(
            f'<polyline class="fit" points="{scale.list(fit.line)}" fill="none" stroke="{_GROWTH}" {clipped}/>'
        )
    dashed = f'fill="none" stroke="{_BOUND}" stroke-dasharray="6 5"'
    parts.append(f'<polyline class="tolerance" points="{scale.list(allowed)}" {dashed}/>')
    parts.append(_name_of_tolerance(scale(allowed[-1])[1], place))
    parts += _dots(scale, floors)
    size = f'viewBox="0 0 {place.width} {place.height}" width="{place.width}" height="{place.height}"'
    head = f'<svg {size} role="img" aria-label="{escape(curve_in_words(result))}" class="curve">'
    inner = f'width="{place.width - place.left - place.right}" height="{place.height - place.top - place.bottom}"'
    clip = f'<clipPath id="{plot}"><rect x="{place.left}" y="{place.top}" {inner}/></clipPath>'
    return "\n".join([head, clip, *parts, "</svg>"])


def curve_in_words(result: CheckResult) -> str:
    """What the drawing shows, for whoever does not see it."""
    jobs, size = _from_zero(result.floors)[-1]
    grown = f"Growth of the memory at rest over {number(jobs)} jobs: {number(size)} bytes"
    if result.interval is None or not is_fitted(result):
        return grown
    return f"{grown}, fitted {number(result.interval.estimate)} per job ({span(result.interval)})"


def _from_zero(floors: Sequence[tuple[int, int]]) -> list[Point]:
    return [(float(jobs - floors[0][0]), float(size - floors[0][1])) for jobs, size in floors]


@dataclass(frozen=True, slots=True)
class _Fit:
    """The slope of an interval laid through the floors it was taken from, and its bounds as a bow about their mean."""

    line: list[Point]
    band: list[Point]

    @classmethod
    def of(cls, floors: list[Point], interval: Interval) -> "_Fit":
        used = _fitted(floors, interval)
        x, y = (sum(point[axis] for point in used) / len(used) for axis in (0, 1))
        ends = [used[0][0], used[-1][0]]

        def at(slope: float) -> list[Point]:
            return [(end, y + slope * (end - x)) for end in ends]

        return cls(at(interval.estimate), [*at(interval.low), *reversed(at(interval.high))])


def _fitted(floors: list[Point], interval: Interval) -> list[Point]:
    """The longest run of last floors whose own slope the interval covers: a warm-up may have been left out."""
    for start in range(len(floors) - _LEAST_FLOORS + 1):
        if Line.through(*zip(*floors[start:], strict=True)).slope in interval:
            return floors[start:]
    return floors


def _scale(xs: list[float], ys: list[float], place: Place) -> _Scale:
    room = 0.06 * (max(ys) - min(ys)) or 1024.0
    return _Scale((0.0, min(0.0, *ys) - room), (max(xs) or 1.0, max(ys) + room), place)


def _grid(scale: _Scale) -> Iterator[str]:
    place = scale.place
    unit, name = unit_of((scale.high[1] - scale.low[1]) / 2)
    for value in _ticks(scale.low[1] / unit, scale.high[1] / unit, place.ticks):
        _, y = scale((0.0, value * unit))
        kind, right = "zero" if value == 0 else "grid", place.width - place.right
        stroke = 'stroke="currentColor"' if value == 0 else 'stroke="currentColor" stroke-opacity="0.2"'
        yield f'<line class="{kind}" x1="{place.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" {stroke}/>'
        sign = "+" if value > 0 else ""
        label = f"{sign}{value:,g}".replace("-", "−")
        yield f'<text class="tick" x="{place.left - 8}" y="{y + 4:.1f}" text-anchor="end" {_TEXT}>{label} {name}</text>'
    for value in _ticks(0.0, scale.high[0], place.ticks):
        x, _ = scale((value, 0.0))
        yield f'<text class="tick" x="{x:.1f}" y="{place.height - place.bottom + 18}" {_MIDDLE}>{value:,g}</text>'
    middle = (place.left + place.width - place.right) / 2
    yield f'<text class="axis" x="{middle}" y="{place.height - 6}" {_MIDDLE}>finished jobs</text>'


def _name_of_tolerance(y: float, place: Place) -> str:
    """The word at the right end of its line: above it, or below where there is no room."""
    beside = y - 6 if y > place.top + 18 else y + 16
    where = f'x="{place.width - place.right - 6}" y="{beside:.1f}" text-anchor="end"'
    return f'<text class="tolerance-name" {where} fill="{_BOUND}" font-size="12">tolerance</text>'


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round values between two bounds."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(at * step, 12) for at in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _dots(scale: _Scale, floors: list[Point]) -> Iterator[str]:
    for point in floors:
        x, y = scale(point)
        title = f"{number(point[0])} jobs: {number(point[1])} B"
        dot = f'cx="{x:.1f}" cy="{y:.1f}" r="4" fill="none" stroke="{_GROWTH}"'
        yield f'<circle class="floor" {dot}><title>{title}</title></circle>'
