"""The forecast is right for a memory that fills steadily, and wrong where the growth is."""

import numpy as np
import pytest

from labserver.errors import CannotRun
from labserver.incident.experiments.capacity.forecast import Readings, forecast

ROOM = 100e6


def filling(bytes_per_job=1e6, jobs=100, looks=4, under_way=2e6):
    """A service whose jobs each keep so much, and need more while they are under way."""
    rng = np.random.default_rng(0)
    done = np.repeat(np.arange(jobs), looks)
    size = done * bytes_per_job + np.tile([0.0, under_way, under_way / 2, 0.0], jobs) + rng.normal(0, 1e4, done.size)
    return Readings(done / 10.0, done.astype(float), size, np.maximum.accumulate(size))


def test_it_foretells_jobs_and_seconds_from_the_first_quarter():
    found = forecast(filling(), ROOM, 10.0)
    assert found.made_at_jobs < 30
    assert found.jobs.estimate == pytest.approx(98, abs=2)
    assert found.jobs.estimate in found.jobs
    assert found.t_s == pytest.approx(9.8, abs=0.3)


def test_a_growth_that_is_wrong_by_a_fifth_misses_the_bound():
    right, wrong = filling(), filling(bytes_per_job=1.2e6)
    died = np.searchsorted(right.size, ROOM - 2e6) / 4
    assert abs(died / forecast(right, ROOM, 10.0).jobs.estimate - 1) < 0.1
    assert abs(died / forecast(wrong, ROOM, 10.0).jobs.estimate - 1) > 0.1


def test_it_says_so_when_there_is_nothing_to_foretell_from():
    with pytest.raises(CannotRun, match="more room"):
        forecast(filling(), 4e6, 10.0)


def test_the_readings_are_a_table(tmp_path):
    filling(jobs=3).to_csv(tmp_path / "x.csv")
    header, *rows = (tmp_path / "x.csv").read_text().splitlines()
    assert header == "t_s,jobs,address_space_bytes,peak_bytes"
    assert len(rows) == 12
