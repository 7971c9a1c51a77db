import base64
import io
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from labserver.incident.experiments.figure import BLUE, draw_floors, save_figure, show_figure
from labserver.incident.experiments.label import Label
from labserver.suite.picture import show_picture


def titled(title):
    """A figure with dots, lines and words."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.add_subplot()
    draw_floors(axes, range(9), np.arange(9.0) ** 2, per_job=8.0, colour=BLUE, label="floors")
    axes.set_title(title)
    axes.legend()
    return figure


def test_floors_are_dots_and_their_slope_a_line_through_their_middle():
    axes = Figure().add_subplot()
    draw_floors(axes, [10, 20, 30], np.array([1.0, 5.0, 3.0]), per_job=0.1, colour=BLUE, label="floors")
    line, dots = axes.lines
    np.testing.assert_allclose(line.get_data(), ([10, 20, 30], [2, 3, 4]))
    np.testing.assert_allclose(dots.get_data(), ([10, 20, 30], [1, 5, 3]))
    assert (dots.get_label(), line.get_color(), dots.get_color()) == ("floors", BLUE, BLUE)


def test_floors_without_a_slope_are_dots_alone():
    axes = Figure().add_subplot()
    draw_floors(axes, [0], np.array([1.0]), per_job=None, colour=BLUE)
    assert [line.get_marker() for line in axes.lines] == ["o"]


def test_a_saved_figure_is_svg_and_byte_stable(tmp_path):
    for name in ("a", "b"):
        assert save_figure(titled("T"), tmp_path, name) == f"figures/{name}.svg"
    first, second = (tmp_path / "figures" / f"{name}.svg" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".png").read_bytes() == second.with_suffix(".png").read_bytes()
    assert ET.parse(first).getroot().tag.endswith("svg")


def made_of(path):
    """What a saved figure tells of its lines with arguments."""
    description = ET.parse(path).find(".//{http://purl.org/dc/elements/1.1/}description")
    return None if description is None else json.loads(description.text)


def labelled():
    """A figure with labels as title, in the legend and at a bar."""
    figure = titled(Label("both\n{size:.1f} MB & {name}", size=3, name="<x>"))
    (axes,) = figure.axes
    axes.plot([0, 8], [0, 1], label=Label("{count} threads", count=np.int64(4)))
    axes.bar_label(axes.bar([1], [2]), [Label("{size} in 1 block", size="2 kB")])
    axes.legend()
    return figure


def test_a_figure_keeps_what_its_words_were_made_of_wherever_they_stand(tmp_path):
    first, second = (tmp_path / save_figure(labelled(), tmp_path, name) for name in "ab")
    assert made_of(first) == {
        "3.0 MB & <x>": {"form": "{size:.1f} MB & {name}", "arguments": {"size": 3, "name": "<x>"}},
        "4 threads": {"form": "{count} threads", "arguments": {"count": 4}},
        "2 kB in 1 block": {"form": "{size} in 1 block", "arguments": {"size": "2 kB"}},
    }
    assert first.read_bytes() == second.read_bytes()
    assert made_of(tmp_path / save_figure(titled("T"), tmp_path, "c")) is None


@pytest.fixture
def shown(monkeypatch):
    """What a notebook is given to show: bundles and metadata, in turn."""
    seen = []
    monkeypatch.setattr("IPython.display.display", lambda data, *, metadata, raw: seen.append((data, metadata, raw)))
    return seen


def test_a_figure_is_shown_as_svg_as_png_and_in_words(tmp_path, shown):
    assert show_figure(titled("Who holds\nthe bytes"), tmp_path, "a") == "figures/a.svg"
    ((data, metadata, raw),) = shown
    assert raw
    assert data["text/plain"] == "Who holds the bytes (figures/a.svg)"
    assert data["image/svg+xml"] == (tmp_path / "figures" / "a.svg").read_text()
    png = base64.b64decode(data["image/png"])
    assert png == (tmp_path / "figures" / "a.png").read_bytes()
    assert len(png) < len(data["image/svg+xml"])
    points = float(ET.fromstring(data["image/svg+xml"]).get("width").removesuffix("pt"))
    width = round(points * 96 / 72)
    assert metadata == {"image/png": {"width": width}}
    with Image.open(io.BytesIO(png)) as image:
        assert image.width == 2 * width


def test_a_figure_of_many_plots_is_named_by_all_their_titles(tmp_path, shown):
    figure = Figure()
    for axes, title in zip(figure.subplots(1, 2), ("left", "right"), strict=True):
        axes.set_title(title, loc="left")
    figure.suptitle("Both")
    show_figure(figure, tmp_path, "a")
    assert shown[0][0]["text/plain"] == "Both; left; right (figures/a.svg)"


def test_a_figure_that_was_saved_without_a_png_is_shown_all_the_same(tmp_path, shown):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.svg").write_text("<svg/>")
    show_picture(tmp_path / "figures" / "a.svg", "T")
    assert shown == [({"image/svg+xml": "<svg/>", "text/plain": "T (figures/a.svg)"}, {}, True)]
