"""Dominators as a picture: what refers to what, and what only one object holds.

T. Lengauer, R. E. Tarjan, "A fast algorithm for finding dominators in a flowgraph", ACM TOPLAS 1, 1979.
"""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import BLUE, STYLE, VERMILLION

ROOT = "roots"
# A store of two jobs, whose photograph a list of the latest uploads has as well; sizes in kB.
SIZES: Mapping[str, int] = {ROOT: 0, "STORE": 1, "job 1": 1, "job 2": 1, "image 1": 188, "image 2": 188, "LATEST": 1,
                            "photo": 70}  # fmt: skip
EDGES: Sequence[tuple[str, str]] = (
    (ROOT, "STORE"), (ROOT, "LATEST"), ("STORE", "job 1"), ("STORE", "job 2"), ("job 1", "image 1"),
    ("job 2", "image 2"), ("job 2", "photo"), ("LATEST", "photo"),
)  # fmt: skip
_PLACES = {
    ROOT: (2.0, 3.0), "STORE": (1.2, 2.0), "LATEST": (3.2, 2.0), "job 1": (0.5, 1.0), "job 2": (1.9, 1.0),
    "image 1": (0.5, 0.0), "image 2": (1.9, 0.0), "photo": (3.2, 0.0),
}  # fmt: skip


def reached(edges: Iterable[tuple[str, str]], without: str = "") -> set[str]:
    """All that a path from the roots leads to, where one object is not there."""
    edges = [(source, target) for source, target in edges if without not in {source, target}]
    found, waiting = {ROOT}, [ROOT]
    while waiting:
        here = waiting.pop()
        new = {target for source, target in edges if source == here} - found
        found |= new
        waiting += sorted(new)
    return found


def retained(holder: str) -> set[str]:
    """What would be freed if nobody had the holder any more, itself included: all that it dominates."""
    return reached(EDGES) - reached(EDGES, without=holder) if holder != ROOT else reached(EDGES)


def retained_kb(holder: str) -> int:
    """The size of all that the holder retains, in kB."""
    return sum(SIZES[name] for name in retained(holder))


def dominator(name: str) -> str:
    """The nearest object through which all paths from the roots to this one lead."""
    holders = [other for other in SIZES if other != name and name in retained(other)]
    return min(holders, key=lambda other: len(retained(other)))


def dominators() -> Figure:
    """References on the left, and on the right who alone holds what, with what each retains."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.set_title("What refers to what, and the size of each", loc="left", fontsize=10)
        _draw(left, EDGES, {name: f"{name}\n{size} kB" for name, size in SIZES.items() if size})
        right.set_title("Who alone holds what, and retains how much", loc="left", fontsize=10)
        tree = [(dominator(name), name) for name in SIZES if name != ROOT]
        _draw(right, tree, {name: f"{name}\n{retained_kb(name)} kB" for name in SIZES if name != ROOT})
        return figure


def _draw(axes: Axes, edges: Iterable[tuple[str, str]], words: Mapping[str, str]) -> None:
    axes.set(xlim=(-0.2, 4.1), ylim=(-0.5, 3.4), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    for source, target in edges:
        axes.annotate(
            "", _PLACES[target], _PLACES[source], arrowprops={"arrowstyle": "->", "color": "0.45", "shrinkA": 13,
                                                              "shrinkB": 15},
        )  # fmt: skip
    for name, place in _PLACES.items():
        colour = VERMILLION if name == "STORE" else "0.35" if name == ROOT else BLUE
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": colour}
        axes.text(*place, words.get(name, name), ha="center", va="center", fontsize=8.5, bbox=box)
