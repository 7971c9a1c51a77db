"""A figure in a narrow window: nothing is lost but the title over the whole, nothing is cut off."""

import itertools
import json
import re

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from labserver.incident.experiments.figure import STYLE, save_figure
from labserver.incident.experiments.label import Label
from labserver.incident.experiments.narrow import make_narrow
from labserver.suite.picture import narrow_path


def drawn(rows=1, columns=1, size=(8, 3.4), **shared):
    """A figure whose plots have titles and labels, with a title over them."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        for number, axes in enumerate(figure.subplots(rows, columns, squeeze=False, **shared).flat):
            axes.plot([0, 9], [0, number + 1], label=f"curve {number}")
            axes.set(title=f"plot {number}", xlabel=f"seconds {number}", ylabel=f"bytes {number}")
        if rows * columns > 1:
            figure.suptitle("What the whole figure shows, in more words than there is room for in a narrow window")
    return figure


def narrowed(figure):
    with mpl.rc_context(STYLE):
        make_narrow(figure)
        figure.draw_without_rendering()
    return figure


def words_of(figure):
    return [text for text in figure.findobj(Text) if text.get_visible() and re.search("[a-z]{2}", text.get_text())]


def assert_whole(figure):
    for text in words_of(figure):
        box = text.get_window_extent()
        assert box.x0 >= -2, text
        assert box.x1 <= figure.bbox.width + 2, text


@pytest.mark.parametrize("plots", [2, 3])
def test_a_few_plots_go_below_one_another_in_their_order(plots):
    figure = narrowed(drawn(1, plots))
    tops = [axes.bbox.y1 for axes in figure.axes]
    assert tops == sorted(tops, reverse=True)
    assert all(below.bbox.y1 < above.bbox.y0 for above, below in itertools.pairwise(figure.axes))
    assert len({axes.bbox.x0 for axes in figure.axes}) == 1
    said = {text.get_text() for text in words_of(figure)}
    assert {f"{what} {number}" for what in ("plot", "seconds", "bytes") for number in range(plots)} <= said
    assert not [words for words in said if "narrow window" in words]
    assert_whole(figure)


def test_many_plots_go_two_by_two_and_places_without_one_are_left_out():
    figure = drawn(2, 4, sharex=True, sharey=True)
    figure.axes[-1].set_axis_off()
    narrowed(figure)
    assert len(figure.axes) == 7
    assert len({round(axes.bbox.x0) for axes in figure.axes}) == 2
    assert len({round(axes.bbox.y0) for axes in figure.axes}) == 4
    assert [axes.get_title() for axes in figure.axes] == [f"plot {number}" for number in range(7)]


def test_what_shared_axes_hid_is_shown_again():
    figure = drawn(1, 3, sharey=True)
    figure.axes[0].set_yticks([0, 1], ["fixed", "jitter"])
    narrowed(figure)
    assert [[name.get_text() for name in axes.get_yticklabels()] for axes in figure.axes] == [["fixed", "jitter"]] * 3
    assert all(axes.yaxis.get_tick_params()["labelleft"] for axes in figure.axes)


@pytest.mark.parametrize("where", [{"loc": "upper left"}, {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 5}])
def test_a_legend_stands_below_its_plot(where):
    figure = drawn()
    (axes,) = figure.axes
    axes.plot([0, 9], [3, 3], label="the floors of the store: 189.7 kB/job (187.1 to 192.4)")
    axes.legend(title="it ends at the right edge", **where)
    narrowed(figure)
    (legend,) = figure.findobj(Legend)
    assert legend.get_window_extent().y1 < axes.bbox.y0
    assert [text.get_text()[:10] for text in legend.get_texts()] == ["curve 0", "the floors"]
    assert legend.get_title().get_text() == "it ends at the right edge"
    assert_whole(figure)


def test_long_names_of_bars_stand_above_their_bars():
    figure = drawn()
    (axes,) = figure.axes
    names = ["labserver/incident/service/stores/base.py:99 in DictJobStore.keep", "waitress/parser.py:427 in crack"]
    axes.clear()
    axes.barh([0, 1], [3, 1], height=0.6)
    axes.set_yticks([0, 1], names)
    axes.invert_yaxis()
    narrowed(figure)
    assert axes.bbox.width > 0.8 * figure.bbox.width
    above = [text for text in axes.texts if text.get_text() in names]
    bars = [bar.get_window_extent() for bar in axes.patches]
    assert [text.get_text() for text in above] == names
    assert all(text.get_window_extent().y0 >= bar.y1 - 2 for text, bar in zip(above, bars, strict=True))
    assert_whole(figure)


def test_long_labels_become_smaller():
    figure = drawn()
    (axes,) = figure.axes
    axes.set(xlabel="seconds since the first load cycle (before it: the warm-up)", ylabel="kept bytes " * 6)
    narrowed(figure)
    assert axes.xaxis.label.get_fontsize() < 10
    assert axes.yaxis.label.get_fontsize() < 10
    assert_whole(figure)


def test_a_picture_without_axes_keeps_its_height():
    figure = drawn(size=(8, 7))
    figure.axes[0].set_axis_off()
    assert narrowed(figure).get_figheight() == 7


def test_the_variant_is_byte_stable_and_says_what_its_words_were_made_of(tmp_path):
    paths = []
    for name in "ab":
        figure = drawn()
        figure.axes[0].plot([0, 9], [2, 2], label=Label("{count} threads", count=4))
        figure.axes[0].legend()
        paths.append(narrow_path(tmp_path / save_figure(figure, tmp_path, name)))
    first, second = (path.read_text(encoding="utf-8") for path in paths)
    assert first == second
    (description,) = re.findall("<dc:description>(.*?)</dc:description>", first)
    made_of = json.loads(description.replace("&quot;", '"'))
    assert made_of == {"4 threads": {"form": "{count} threads", "arguments": {"count": 4}}}
    assert float(re.search(r'width="([\d.]+)pt"', first)[1]) < 290
