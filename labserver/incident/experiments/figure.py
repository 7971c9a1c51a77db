"""What all figures of the experiments share: their look, how floors are drawn, and their way into the run directory.

Figures are drawn without pyplot, which would keep each one; they are byte-stable as SVG and PNG.
"""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from labserver.incident.experiments.label import Label
from labserver.incident.experiments.narrow import make_narrow
from labserver.suite.picture import narrow_path, save_png, show_picture

# Okabe & Ito's palette, told apart by colour-blind readers too.
VERMILLION, BLUE, GREEN = "#D55E00", "#0072B2", "#009E73"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"

# What stays is vermillion, what is let go is blue.
COLOURS = {"leaky": VERMILLION, "ttl": BLUE}
_OTHERS = (GREEN, PURPLE, ORANGE, SKY)

STYLE: Any = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 110,
    "font.size": 10,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.hashsalt": "labserver",  # without it the ids in the SVG differ from run to run
}


def colour_of(name: str, number: int) -> str:
    """The colour of a store, or of the curve with that number where it is no store's that has one."""
    return COLOURS.get(name, _OTHERS[number % len(_OTHERS)])


def draw_floors(  # noqa: PLR0913 - half of them by keyword
    axes: Axes,
    jobs: npt.ArrayLike,
    level: npt.NDArray[np.float64],
    *,
    per_job: float | None,
    colour: str,
    label: str | None = None,
) -> None:
    """Draw floors against finished jobs as dots, and their slope as a line through their middle.

    Args:
        axes: where to.
        jobs: finished at each floor.
        level: of each floor, in the unit of the axes.
        per_job: the slope in the same unit; None where none could be fitted.
        colour: of dots and line.
        label: of the dots in the legend.
    """
    x = np.asarray(jobs, dtype=np.float64)
    if per_job is not None:
        axes.plot(x, level.mean() + (x - x.mean()) * per_job, color=colour, linewidth=1.2, alpha=0.7)
    axes.plot(x, level, "o", color=colour, label=label)


def save_figure(figure: Figure, run_dir: Path, name: str) -> str:
    """Write a figure below the run directory: as SVG, as PNG beside it, and as SVG for narrow windows.

    The SVG keeps what `figure_words` needs to put its words into another language: the id of each text says how it is
    aligned, the description what each line of a `Label` with arguments was made of.

    Args:
        figure: it is spent afterwards, laid out for a narrow window.
        run_dir: the run.
        name: of the files, without a suffix.

    Returns:
        The SVG's path relative to the run directory: the evidence that a finding names.
    """
    path = run_dir / "figures" / f"{name}.svg"
    narrow = narrow_path(path)
    narrow.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        _save_svg(figure, path)
        save_png(figure, path.with_suffix(".png"))
        make_narrow(figure)
        _save_svg(figure, narrow)
    return path.relative_to(run_dir).as_posix()


def _save_svg(figure: Figure, path: Path) -> None:
    made_of: dict[str, Any] = {}
    for number, text in enumerate(figure.findobj(Text)):
        text.set_gid(f"{text.get_horizontalalignment()}_{number}")
        if isinstance(words := text.get_text(), Label):
            made_of |= {str(phrase): phrase.as_json() for phrase in words.phrases() if phrase.arguments}
    metadata = {"Date": None, "Creator": None} | ({"Description": json.dumps(made_of)} if made_of else {})
    figure.savefig(path, metadata=metadata)


def show_figure(figure: Figure, run_dir: Path, name: str) -> str:
    """Save a figure and show it in the notebook; returns its evidence path."""
    titles = [figure.get_suptitle(), *(axes.get_title(side) for axes in figure.axes for side in ("left", "center"))]
    evidence = save_figure(figure, run_dir, name)
    show_picture(run_dir / evidence, "; ".join(" ".join(title.split()) for title in titles if title))
    return evidence
