from xml.etree import ElementTree as ET

import numpy as np

from labserver.heap.monitor import COLUMNS, Curve
from labserver.incident.experiments.leak.live import live_curve


def curve_of(heap):
    rows = np.full((len(heap), len(COLUMNS)), np.nan)
    rows[:, COLUMNS.index("t_s")] = 100 + np.arange(len(heap))
    rows[:, COLUMNS.index("traced_bytes")] = heap
    return Curve(rows)


def heights(svg):
    (line,) = ET.fromstring(svg).iter("polyline")
    return [float(point.split(",")[1]) for point in line.get("points").split()]


def test_the_heap_rises_from_zero_and_says_where_it_is():
    svg = live_curve(curve_of(np.array([1.0, 2.0, 4.0]) * 2**20))
    first, second, last = heights(svg)
    assert first > second > last
    assert first - second < second - last
    assert "4.0 MiB" in svg
    assert "2 s" in svg


def test_a_long_curve_has_no_more_points_than_can_be_seen():
    assert len(heights(live_curve(curve_of(np.linspace(1, 9, 8000) * 2**20)))) <= 250


def test_what_was_not_read_is_left_out_and_one_reading_is_no_line():
    heap = np.array([1.0, np.nan, 4.0]) * 2**20
    assert len(heights(live_curve(curve_of(heap)))) == 2
    assert live_curve(curve_of(heap[:2])) == ""
    assert live_curve(curve_of(heap[:0])) == ""
