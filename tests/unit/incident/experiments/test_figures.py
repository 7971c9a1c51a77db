import base64
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from labserver.heap.chain import Chain, Link
from labserver.heap.meters import Reading
from labserver.heap.monitor import Curve
from labserver.heap.tracemalloc_tools import AllocationSite, Frame
from labserver.incident.experiments import figures as plots
from labserver.stats.interval import Interval
from labserver.suite.picture import show_picture

MARKS = (("load", 102.0), ("drained", 104.0))


def curve(level):
    t = np.arange(100.0, 110.0)
    return Curve(np.column_stack([t, t * level, t, t, t - 100]), MARKS)


def site(growth, blocks):
    return AllocationSite((Frame("shop/jobs.py", 41, "render"),), growth, blocks, growth, blocks)


CHAIN = Chain((Link(None, "module", "shop"), Link("STORE", "dict", "dict"), Link("['…']", "bytes", "bytes")))


def test_both_stores_start_at_their_first_load_and_share_one_plot():
    figure = plots.heap_over_time({"leaky": curve(2**20), "ttl": curve(2**18)}, title="T", ttl_s=3)
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert {"leaky", "ttl"} <= set(lines)
    assert lines["leaky"].get_xdata()[2] == 0
    assert lines["leaky"].get_ydata()[0] == pytest.approx(100)
    assert [text.get_text() for text in axes.texts] == ["the last results\nare 3 s old: one TTL"]
    assert lines["leaky"].get_color() != lines["ttl"].get_color()


def test_floors_are_plotted_against_jobs_with_their_slope():
    floors = [Reading(0.0, jobs * 2**20, 0, 0, jobs) for jobs in (10, 20, 30)]
    slopes = {"leaky": Interval(2**20, 1e6, 1.1e6, 0.99)}
    (axes,) = plots.heap_over_jobs({"leaky": floors}, slopes, title="T").axes
    dots = axes.lines[-1]
    assert list(dots.get_xdata()) == [10, 20, 30]
    assert list(dots.get_ydata()) == [10, 20, 30]
    assert "1,048.6 kB/job (1,000.0 to 1,100.0)" in dots.get_label()


def test_sites_are_labelled_with_size_and_blocks():
    (axes,) = plots.growth_by_site([site(3 * 2**20, 20), site(400, 1)], ["a", "b"], title="T").axes
    assert [text.get_text() for text in axes.texts] == ["3.0 MiB in 20 blocks", "400 B in 1 block"]


def test_a_chain_shows_every_object_and_edge():
    (axes,) = plots.chain_picture(CHAIN, title="T", note="× 20").axes
    words = [text.get_text() for text in axes.texts]
    assert [word for word in words if word] == ["module shop", "dict", "STORE", "bytes  × 20", "['…']"]


def test_a_saved_figure_is_svg_and_byte_stable(tmp_path):
    for name in ("a", "b"):
        assert plots.save_figure(plots.chain_picture(CHAIN, title="T"), tmp_path, name) == f"figures/{name}.svg"
    first, second = (tmp_path / "figures" / f"{name}.svg" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".png").read_bytes() == second.with_suffix(".png").read_bytes()
    assert ET.parse(first).getroot().tag.endswith("svg")


@pytest.fixture
def shown(monkeypatch):
    """What a notebook is given to show: bundles and metadata, in turn."""
    seen = []
    monkeypatch.setattr("IPython.display.display", lambda data, *, metadata, raw: seen.append((data, metadata, raw)))
    return seen


def test_a_figure_is_shown_as_svg_as_png_and_in_words(tmp_path, shown):
    assert plots.show_figure(plots.chain_picture(CHAIN, title="Who holds\nthe bytes"), tmp_path, "a") == "figures/a.svg"
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
    plots.show_figure(figure, tmp_path, "a")
    assert shown[0][0]["text/plain"] == "Both; left; right (figures/a.svg)"


def test_a_figure_that_was_saved_without_a_png_is_shown_all_the_same(tmp_path, shown):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.svg").write_text("<svg/>")
    show_picture(tmp_path / "figures" / "a.svg", "T")
    assert shown == [({"image/svg+xml": "<svg/>", "text/plain": "T (figures/a.svg)"}, {}, True)]
