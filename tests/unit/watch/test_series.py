import os
from pathlib import Path

import numpy as np
import pytest

from labserver.errors import CannotRun, UsageError
from labserver.heap.monitor import Curve
from labserver.watch.sample import Sample
from labserver.watch.series import Account, CsvFile, samples

MIB = 2**20


class Clockwork:
    """A clock that only sleeping and slow answers move, and a source on it."""

    what = "clockwork"

    def __init__(self, took=(), events=()):
        self.now, self.took, self.events = 100.0, list(took), list(events)

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def read(self):
        self.now += self.took.pop(0) if self.took else 0.0
        event = self.events.pop(0) if self.events else ""
        return Sample(t_s=self.now, heap_bytes=None if event.startswith(("gap", "ended")) else 1.0, event=event)

    def close(self):
        pass

    def run(self, interval_s=1.0, duration_s=6.0):
        return list(samples(self, interval_s=interval_s, duration_s=duration_s, sleep=self.sleep, clock=self.clock))


def test_a_slow_answer_shifts_nothing_and_what_it_covers_is_a_gap():
    taken = Clockwork(took=[0.1, 2.3, 0.1]).run()
    assert [round(sample.t_s, 3) for sample in taken] == [100.1, 102, 103, 103.3, 104.1, 105, 106]
    assert [sample.event.partition(":")[0] for sample in taken] == ["", "gap", "gap", "", "", "", ""]


def test_the_grid_is_kept_and_both_ends_belong_to_it():
    assert [round(sample.t_s, 3) for sample in Clockwork().run(0.5, 2.0)] == [100, 100.5, 101, 101.5, 102]


def test_an_ended_process_ends_the_series():
    assert [sample.event for sample in Clockwork(events=["", "ended", ""]).run()] == ["", "ended"]


def test_the_account_is_of_what_was_read_only():
    account = Account()
    for t, heap in ((0, 100), (30, 130), (60, None), (90, 190), (120, 220)):
        account.add(Sample(t_s=t, heap_bytes=heap, resident_bytes=1e9, event="" if heap else "gap: x"))
    assert (account.first, account.last, account.least, account.most) == (100, 220, 100, 220)
    assert (account.count, account.gaps, account.seconds) == (4, 1, 120)
    assert account.slope_per_minute == pytest.approx(60)


def test_there_is_no_slope_across_a_restart_or_of_two_readings():
    account = Account()
    for t in range(2):
        account.add(Sample(t_s=t, heap_bytes=t))
    assert account.slope_per_minute is None
    for t in range(2, 9):
        account.add(Sample(t_s=t, heap_bytes=t, event="restart: x" if t == 5 else ""))
    assert account.restarts == 1
    assert account.slope_per_minute is None


def test_there_is_no_slope_across_several_processes_behind_one_address():
    account = Account()
    for t in range(9):
        account.add(Sample(t_s=t, heap_bytes=t, event="another process answers: x" if t == 5 else ""))
    assert (account.restarts, account.slope_per_minute) == (0, None)


@pytest.fixture
def watched(tmp_path):
    """A file of a leaking service that was away for three beats and came back as another process."""
    path = tmp_path / "watch.csv"
    file = CsvFile(path)
    for second in range(60):
        away = 30 <= second < 34
        event = "gap: connection refused" if away else "restart: the process was started anew" if second == 34 else ""
        heap = None if away else (50 + second if second < 30 else 20 + second - 34) * MIB
        file.add(Sample(t_s=1000.0 + second, heap_bytes=heap, finished_jobs=None, event=event))
    file.close()
    return path


def test_the_file_is_a_curve_with_holes(watched):
    curve = Curve.from_csv(watched)
    heap = curve.column("traced_bytes")
    assert np.isnan(heap[30:34]).all()
    assert np.isfinite(np.delete(heap, range(30, 34))).all()
    assert np.isnan(curve.column("resident_bytes")).all()
    assert curve.marks == (*(("gap", 1000.0 + t) for t in range(30, 34)), ("restart", 1034.0))


def test_a_file_that_is_there_is_kept_unless_told_otherwise(watched):
    before = watched.read_bytes()
    with pytest.raises(UsageError, match="--force"):
        CsvFile(watched)
    assert watched.read_bytes() == before
    CsvFile(watched, force=True).close()
    assert len(watched.read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        CsvFile(tmp_path / "none" / "watch.csv")


@pytest.fixture
def full():
    path = Path("/dev/full")
    if not path.exists():
        pytest.skip("this system has no device that is always full")
    return path


def test_a_disk_that_is_full_is_said_at_the_first_line(full):
    with pytest.raises(UsageError, match=r"^/dev/full cannot be written \(No space left on device\)"):
        CsvFile(full, force=True)


def test_a_disk_that_fills_is_said_once(full, tmp_path):
    file = CsvFile(tmp_path / "watch.csv")
    with full.open("w", buffering=1) as device:
        os.dup2(device.fileno(), file._file.fileno())
    with pytest.raises(CannotRun, match=r"watch.csv cannot be written any more \(No space left on device\)\.$"):
        file.add(Sample(heap_bytes=1.0))
    file.close()
    assert file._file.closed
