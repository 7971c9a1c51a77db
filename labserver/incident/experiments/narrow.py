"""A figure's variant for a narrow window: its plots below one another, its letters as large as those of the text."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.legend import Legend
from matplotlib.text import Text

# Shown in its own size on a screen of 400 pixels.
_WIDTH_IN = 3.85
_TALLEST_PLOT_IN, _LOWEST_PLOT_IN, _LOWEST_SMALL_PLOT_IN = 2.8, 1.8, 1.35
# So many plots go below one another; of more, two small ones stand side by side.
_MOST_IN_A_COLUMN = 3
_SMALLEST_PT, _NAMES_PT = 6.5, 8.0
_MARGIN_PX = 8
# Names of bars that take more of the width than this stand above their bars.
_WIDEST_NAMES = 0.4
_NAMED_BAR_IN = 0.52


def make_narrow(figure: Figure) -> None:
    """Lay a figure out anew for a narrow window.

    It shows the same, without the title over the whole: it would not fit, and a caption stands below.

    Args:
        figure: with constrained layout; it is changed.
    """
    plots = [axes for axes in figure.axes if axes.axison or len(figure.axes) == 1]
    for axes in set(figure.axes) - set(plots):
        axes.remove()
    _stack(plots, figure)
    figure.suptitle("")
    if len(plots) == 1:
        for side in ("left", "center", "right"):
            plots[0].set_title("", loc=side)
        _put_legend_below(plots[0], figure)
    for axes in plots:
        _put_names_above_bars(axes, figure)
    figure.draw_without_rendering()
    _fit_words(figure)


def _stack(plots: list[Axes], figure: Figure) -> None:
    """Put plots that stand side by side below one another."""
    place = plots[0].get_subplotspec()
    if place is None:
        return
    rows, columns = place.get_gridspec().get_geometry()
    if columns == 1:
        drawn = plots[0].axison  # a picture without axes has its letters' places in it
        height = max(figure.get_figheight() / rows, _LOWEST_PLOT_IN)
        figure.set_size_inches(_WIDTH_IN, rows * min(height, _TALLEST_PLOT_IN if drawn else height))
        return
    across = 1 if len(plots) <= _MOST_IN_A_COLUMN else 2
    lowest = _LOWEST_PLOT_IN if across == 1 else _LOWEST_SMALL_PLOT_IN
    down = -(-len(plots) // across)
    grid = GridSpec(down, across, figure=figure)
    for number, axes in enumerate(plots):
        axes.set_subplotspec(grid[number // across, number % across])
        axes.tick_params(labelleft=True, labelbottom=True)
        if across > 1:
            axes.label_outer()
    height = min(max(figure.get_figheight() / rows / across, lowest), _TALLEST_PLOT_IN)
    figure.set_size_inches(_WIDTH_IN, down * height)


def _put_legend_below(axes: Axes, figure: Figure) -> None:
    """Inside a plot of this width it would hide the curves."""
    legend = axes.get_legend()
    if legend is None:
        return
    words = [text.get_text() for text in legend.get_texts()]
    handles = [handle for handle in legend.legend_handles if handle is not None]
    below = figure.legend(handles, words, loc="outside lower left", alignment="left", frameon=False)
    if title := legend.get_title().get_text():
        below.set_title(title)
    figure.set_figheight(figure.get_figheight() + 0.2 * len(words))
    legend.remove()


def _put_names_above_bars(axes: Axes, figure: Figure) -> None:
    """Where long names of bars would leave no room for the bars, let each stand above its own."""
    names = [name for name in axes.get_yticklabels() if name.get_text()]
    widest = max((name.get_window_extent().width for name in names), default=0)
    if not axes.yaxis.get_inverted() or widest < _WIDEST_NAMES * figure.bbox.width:
        return
    for at, name in zip(axes.get_yticks(), names, strict=True):
        above = axes.text(0.01, at - 0.32, name.get_text(), va="bottom", fontsize=_NAMES_PT)
        above.set_transform(axes.get_yaxis_transform())
    axes.tick_params(labelleft=False, left=False)
    axes.set_ylim(len(names) - 0.55, -0.9)
    figure.set_figheight(0.7 + _NAMED_BAR_IN * len(names))


def _fit_words(figure: Figure) -> None:
    """Make headings, labels and legends that are longer than their room smaller."""
    for axes in figure.axes:
        middle = (axes.bbox.x0 + axes.bbox.x1) / 2
        room = 2 * min(middle, figure.bbox.width - middle) - _MARGIN_PX
        for words in (axes.title, axes.xaxis.label):
            _shrink([words], words.get_window_extent().width, room)
        _shrink([axes.yaxis.label], axes.yaxis.label.get_window_extent().height, 1.1 * axes.bbox.height)
    for legend in figure.findobj(Legend):
        longest = max(text.get_window_extent().width for text in legend.get_texts())
        beside = legend.get_window_extent().width - longest
        _shrink(legend.get_texts(), longest, figure.bbox.width - beside - _MARGIN_PX)


def _shrink(words: list[Text], length: float, room: float) -> None:
    if length > room:
        for text in words:
            text.set_fontsize(max(float(text.get_fontsize()) * room / length, _SMALLEST_PT))
