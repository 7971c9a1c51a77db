import re
from xml.etree import ElementTree as ET

import numpy as np

from labserver.diagnosis.measure.options import CheckProgress
from labserver.plugins import notebook_view
from labserver.plugins.curve import interval_curve
from labserver.plugins.notebook_view import LiveView
from labserver.stats.interval import Interval


def band_heights(svg):
    """The band's height at each look, in pixels."""
    points = [tuple(map(float, p.split(","))) for p in re.search(r'polygon points="([^"]+)', svg)[1].split()]
    low, high = points[: len(points) // 2], points[len(points) // 2 :][::-1]
    return [a[1] - b[1] for a, b in zip(low, high, strict=True)]


def test_the_band_narrows_as_the_interval_does():
    looks = np.array([[100, 900, -4000, 5800], [200, 1000, 600, 1400], [300, 1010, 910, 1110]], dtype=float)
    svg = interval_curve(looks, tolerance=256)
    first, second, third = band_heights(svg)
    assert first > second > third > 0
    assert "1,010 B" in svg
    ET.fromstring(svg)


def test_before_the_first_interval_there_is_no_curve():
    assert interval_curve(np.zeros((0, 4)), tolerance=256) == ""


class Handle:
    def __init__(self):
        self.shown = []

    def update(self, what):
        self.shown.append(what._repr_mimebundle_())


def test_a_live_view_remembers_no_more_than_its_array_holds(monkeypatch):
    monkeypatch.setattr(notebook_view, "_LOOKS", 16)
    handle = Handle()
    view = LiveView(handle, tolerance=256)
    view.progress(CheckProgress("warming up", 10, 1.0))
    for jobs in range(50, 50 * 40, 50):
        view.progress(CheckProgress("measuring", jobs, 2.0, Interval(1000, 900, 1100, 0.99)))
    assert "<svg" not in handle.shown[0]["text/html"]
    assert "<svg" in handle.shown[-1]["text/html"]
    assert handle.shown[-1]["text/plain"].startswith("2 s: measuring, 1950 jobs: 1,000 B/job")
    view.clear()
    assert handle.shown[-1] == {"text/html": "", "text/plain": ""}


def test_a_curve_begins_anew_when_it_is_measured_anew():
    handle = Handle()
    view = LiveView(handle, tolerance=256)
    for jobs in (50, 100, 150, 50, 100):
        view.progress(CheckProgress("measuring", jobs, 2.0, Interval(1000, 900, 1100, 0.99)))
    assert len(band_heights(handle.shown[2]["text/html"])) == 3
    assert len(band_heights(handle.shown[-1]["text/html"])) == 2
