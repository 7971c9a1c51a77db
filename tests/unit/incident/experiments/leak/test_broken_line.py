"""What `labserver watch` wrote is drawn with its holes."""

import math

import numpy as np
import pytest

from labserver.heap.monitor import Curve
from labserver.incident.experiments.leak.broken_line import broken_line, gaps
from labserver.incident.experiments.leak.figures import heap_over_time
from labserver.watch.sample import Sample
from labserver.watch.series import CsvFile

MIB = 2**20


@pytest.fixture
def watched(tmp_path):
    """The curve of a leaking service that was away for three beats and came back as another process."""
    path = tmp_path / "watch.csv"
    file = CsvFile(path)
    for second in range(60):
        away = 30 <= second < 34
        event = "gap: connection refused" if away else "restart: the process was started anew" if second == 34 else ""
        heap = None if away else (50 + second if second < 30 else 20 + second - 34) * MIB
        file.add(Sample(t_s=1000.0 + second, heap_bytes=heap, finished_jobs=None, event=event))
    file.close()
    return Curve.from_csv(path)


def test_a_hole_reaches_from_the_last_reading_before_it_to_the_first_after_it(watched):
    assert list(gaps(watched)) == [(1029.0, 1034.0)]


def test_the_plot_of_the_leak_breaks_the_line_and_says_why(watched):
    (axes,) = heap_over_time({"watched": watched}, title="T").axes
    x, y = axes.lines[0].get_data()
    assert np.isnan(y[(x > 29) & (x < 34)]).all()
    assert y[29] == 79
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"watched", "no reading", "restart"}
    assert axes.get_xlabel() == "seconds since the first reading"
    assert axes.get_ylabel() == "heap, MiB"


def test_a_restart_without_a_gap_breaks_the_line_too():
    rows = np.array([[float(t), 1.0, 1.0, 0, 0] for t in range(6)])
    curve = Curve(rows, (("restart", 3.0),))
    t, bytes_ = broken_line(curve)
    assert list(t) == [0, 1, 2, 3, 3, 4, 5]
    assert [math.isnan(value) for value in bytes_] == [False] * 3 + [True] + [False] * 3


def test_where_no_heap_is_told_the_plot_shows_resident_memory(tmp_path):
    path = tmp_path / "watch.csv"
    file = CsvFile(path)
    for second in range(3):
        file.add(Sample(t_s=float(second), resident_bytes=5.0 * MIB))
    file.close()
    (axes,) = heap_over_time({"watched": Curve.from_csv(path)}, title="T").axes
    assert list(axes.lines[0].get_ydata()) == [5, 5, 5]
    assert axes.get_ylabel() == "resident memory, MiB"
