"""Figures that are drawn."""

# /// script
# dependencies = ["matplotlib"]
# [tool.libraries]
# kind = "at-fork hook"
# ///

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from using.pair import pair


def work(_):
    figure = Figure(figsize=(0.2, 0.2), dpi=50)
    FigureCanvasAgg(figure).draw()
    return figure


leak, clean = pair(work)
