import numpy as np
import pytest

from labserver.heap.chain import Chain, Link
from labserver.heap.edge import VALUE, attribute
from labserver.heap.frame import Frame
from labserver.heap.meters import Reading
from labserver.heap.monitor import Curve
from labserver.heap.tracemalloc_tools import AllocationSite
from labserver.incident.experiments.leak import figures
from labserver.stats.interval import Interval

MARKS = (("load", 102.0), ("drained", 104.0))


def curve(level):
    t = np.arange(100.0, 110.0)
    return Curve(np.column_stack([t, t * level, t, t, t - 100]), MARKS)


def site(growth, blocks):
    return AllocationSite((Frame("shop/jobs.py", 41, "render"),), growth, blocks, growth, blocks)


CHAIN = Chain((Link(None, "module", "shop"), Link(attribute("STORE"), "dict", "dict"), Link(VALUE, "bytes", "bytes")))


def test_both_stores_start_at_their_first_load_and_share_one_plot():
    figure = figures.heap_over_time({"leaky": curve(2**20), "ttl": curve(2**18)}, title="T", ttl_s=3)
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
    (axes,) = figures.heap_over_jobs({"leaky": floors}, slopes, title="T").axes
    dots = axes.lines[-1]
    assert list(dots.get_xdata()) == [10, 20, 30]
    assert list(dots.get_ydata()) == [10, 20, 30]
    assert "1,048.6 kB/job (1,000.0 to 1,100.0)" in dots.get_label()


def test_sites_are_labelled_with_size_and_blocks():
    (axes,) = figures.growth_by_site([site(3 * 2**20, 20), site(400, 1)], title="T").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["shop/jobs.py:41 in render"] * 2
    assert [text.get_text() for text in axes.texts] == ["3.0 MiB in 20 blocks", "400 B in 1 block"]


def test_a_chain_shows_every_object_and_edge():
    (axes,) = figures.chain_picture(CHAIN, title="T", note="× 20").axes
    words = [text.get_text() for text in axes.texts]
    assert [word for word in words if word] == ["module shop", "dict", "STORE", "bytes  × 20", "['…']"]
