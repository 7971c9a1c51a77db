import itertools
import threading
import time

import numpy as np
import pytest

from labserver.heap.meters import Reading, wait_until
from labserver.heap.monitor import COLUMNS, Curve, Monitor


class Counting:
    """A meter whose readings count up, and that can be slow or fail."""

    def __init__(self, slow_s=0.0, fail_at=None):
        self.numbers = itertools.count()
        self.slow_s, self.fail_at = slow_s, fail_at

    def read(self):
        number = next(self.numbers)
        if number == self.fail_at:
            raise OSError("the meter broke")
        time.sleep(self.slow_s)
        return Reading(time.monotonic(), number, 2 * number, 3, number)


def wait_for(monitor, samples):
    deadline = time.monotonic() + 60
    while len(monitor.curve.rows) < samples and time.monotonic() < deadline:
        time.sleep(0.01)


def test_memory_and_csv_hold_the_same_curve(tmp_path):
    path = tmp_path / "curve.csv"
    with Monitor(Counting(), interval_s=0.01, csv_path=path) as monitor:
        wait_for(monitor, 5)
    curve, stored = monitor.curve, Curve.from_csv(path)
    assert curve.rows.shape[1] == len(COLUMNS)
    np.testing.assert_allclose(stored.rows, curve.rows, atol=1e-6)
    assert np.all(np.diff(curve.column("t_s")) > 0)
    assert list(curve.column("traced_bytes")) == list(range(len(curve.rows)))
    assert curve.elapsed_s[0] == 0


def test_the_csv_can_be_read_while_it_is_written(tmp_path):
    path = tmp_path / "curve.csv"
    with Monitor(Counting(), interval_s=0.01, csv_path=path) as monitor:
        wait_for(monitor, 3)
        assert len(Curve.from_csv(path).rows) >= 3


def test_the_monitor_does_not_grow_and_keeps_the_whole_span():
    with Monitor(Counting(), interval_s=0.002, capacity=8) as monitor:
        deadline = time.monotonic() + 60
        while monitor.curve.rows[-1:, 1].sum() < 40 and time.monotonic() < deadline:
            time.sleep(0.01)
    rows = monitor.curve.rows
    assert len(rows) <= 8
    assert rows[0, 1] == 0
    assert rows[-1, 1] >= 25
    assert np.all(np.diff(rows[:, 0]) > 0)


class Slow:
    """A clock, and a meter that lets it go on: each reading but the first takes one and a half intervals."""

    def __init__(self):
        self.now = 0.0
        self.numbers = itertools.count()

    def monotonic(self):
        return self.now

    def read(self):
        number = next(self.numbers)
        self.now += 1.5 if number else 0.5
        return Reading(self.now, number, 0, 0, number)

    def wait(self, seconds):
        self.now += seconds
        return self.now > 200


def test_a_meter_that_misses_every_other_beat_is_kept_to_the_end(monkeypatch):
    slow = Slow()
    monkeypatch.setattr("labserver.sampler.time", slow)
    monitor = Monitor(slow, interval_s=1, capacity=8)
    monitor._sampler._stop = slow
    monitor._sampler._sample()
    assert monitor.jitter.missed > 90
    assert monitor.curve.column("t_s")[-1] > 150


def test_a_curve_that_is_read_meanwhile_stays_in_the_order_of_time():
    monitor = Monitor(Counting(), interval_s=1, capacity=8)
    for number in range(8):
        monitor._keep(Reading(number, number, 0, 0, number), 0.0)
    seen = monitor._rows[:]  # as another thread that has come so far
    monitor._keep(Reading(8, 8, 0, 0, 8), 0.0)
    assert list(seen[:, 0]) == list(range(8))
    assert list(monitor.curve.column("t_s")) == [0, 2, 4, 6, 8]


def test_lateness_and_missed_beats_are_stated():
    with Monitor(Counting(slow_s=0.05), interval_s=0.01) as monitor:
        wait_for(monitor, 4)
    jitter = monitor.jitter
    assert jitter.missed >= 4
    assert 0.04 < jitter.median_s <= jitter.p95_s <= jitter.max_s
    assert "missed" in str(jitter)


def test_a_quiet_monitor_misses_nothing_to_speak_of():
    with Monitor(Counting(), interval_s=1.0) as monitor:
        wait_for(monitor, 3)
    assert monitor.jitter.missed <= 1


def test_marks_are_on_the_curves_clock():
    with Monitor(Counting(), interval_s=0.01) as monitor:
        wait_for(monitor, 3)
        before = len(monitor.curve.rows)
        monitor.mark("load")
        wait_for(monitor, before + 3)
    ((name, at),) = monitor.curve.marks
    assert name == "load"
    t_s = monitor.curve.column("t_s")
    assert t_s[before - 1] <= at <= t_s[-1]


def test_a_broken_meter_is_said_at_the_end_of_the_block():
    broken = Counting(fail_at=2)
    with pytest.raises(OSError, match="the meter broke"), Monitor(broken, interval_s=0.01) as monitor:
        wait_until(lambda: not monitor.running, timeout_s=60)


def test_no_thread_is_left_when_the_block_fails():
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), Monitor(Counting(), interval_s=60):
        raise KeyboardInterrupt
    assert set(threading.enumerate()) <= before
