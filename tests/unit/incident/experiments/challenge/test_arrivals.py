import threading

import numpy as np
import pytest

from labserver.heap.meters import wait_until
from labserver.incident.experiments.challenge.arrivals import backends, drive
from labserver.incident.service.settings import Settings
from labserver.load.photos import Pair

NOTHING = Pair(b"", b"")
IMAGE = bytes(1000)


def test_each_service_gets_its_own_rate_and_its_books_are_read():
    settings = [Settings(), Settings()]
    with backends(settings, image=IMAGE) as driven:
        series = drive(driven, [20, 60], NOTHING, duration_s=2.0)
    assert series.rates() == pytest.approx([20, 60], rel=0.25)
    # What is kept is read before what has finished, and each of four workers counts its job after it was kept.
    assert (series.kept <= 1000 * (series.finished + 4)).all()
    assert (1000 * series.finished[:-1] <= series.kept[1:]).all()
    assert (np.diff(series.t_s) > 0).all()


def test_results_are_copies_and_not_one_object():
    with backends([Settings()], image=IMAGE) as driven:
        drive(driven, [50], NOTHING, duration_s=0.2)
        assert wait_until(driven[0].queue.idle, timeout_s=60)
        kept = [result.image for result in driven[0].store._jobs.values() if result.image]
    assert len({id(image) for image in kept}) == len(kept) > 3
    assert set(kept) == {IMAGE}


def test_it_goes_on_until_the_jobs_have_finished_but_not_for_ever():
    slow = Settings(service_time_s=0.15, workers=1)
    with backends([slow], image=IMAGE) as driven:
        series = drive(driven, [20], NOTHING, duration_s=1.0, jobs=10)
        assert driven[0].queue.finished >= 10
        assert series.t_s[-1] > 1.0
    with backends([slow], image=IMAGE) as driven:
        assert drive(driven, [20], NOTHING, duration_s=0.1, jobs=1000).finished[-1, 0] < 20


def test_a_full_queue_loses_jobs_and_nothing_is_left():
    threads = set(threading.enumerate())
    with backends([Settings(service_time_s=30, workers=1, queue_size=1)], image=IMAGE) as driven:
        drive(driven, [100], NOTHING, duration_s=1.0)
        assert len(driven[0].store) == 2
    assert set(threading.enumerate()) <= threads


def test_the_readings_are_written_by_name(tmp_path):
    with backends([Settings()], image=IMAGE) as driven:
        series = drive(driven, [30], NOTHING, duration_s=0.2)
    series.to_csv(tmp_path / "a.csv", ["ttl"])
    table = np.genfromtxt(tmp_path / "a.csv", delimiter=",", names=True)
    assert table.dtype.names == ("t_s", "traced_bytes", "kept_bytes_ttl", "finished_ttl")
    assert len(table) == len(series.t_s)
