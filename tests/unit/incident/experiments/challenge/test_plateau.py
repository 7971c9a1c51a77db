import numpy as np
import pytest

from labserver.incident.experiments.challenge.arrivals import Series
from labserver.incident.experiments.challenge.plateau import (
    measure_grid,
    observe_steady,
    steady_means,
    steady_slope,
    traced_plateau_error,
)
from labserver.incident.experiments.challenge.run import Run
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import TtlJobStore

IMAGE = bytes(20_000)


def undisturbed(measure, holds):
    """Measure again where a busy machine came in between: what is wrong is so each time."""
    for _ in range(5):
        measured = measure()
        if holds(measured):
            break
    return measured


def as_predicted(measured):
    rates = [cell.rate_per_s for cell in measured.cells] == pytest.approx([43, 87], rel=0.1)
    sizes = [cell.result_bytes for cell in measured.cells] == pytest.approx([20_000] * 2)
    return rates and sizes and all(abs(error) < 0.1 for cell in measured.cells for error in cell.errors)


def grid(store="ttl"):
    return measure_grid(Settings(store=store, sweep_s=0.2, workers=1), [43.0, 87.0], [0.4], IMAGE, periods=3)


def test_rate_and_time_to_live_make_the_bytes():
    measured = undisturbed(grid, as_predicted)
    assert as_predicted(measured)
    assert all(cell.peak_bytes > cell.mean_bytes for cell in measured.cells)
    assert len(set(measured.names)) == 2


def test_without_sweeps_the_bytes_are_not_those(monkeypatch):
    monkeypatch.setattr(TtlJobStore, "sweep", lambda _: 0)
    assert min(min(cell.errors) for cell in grid().cells) > 0.2


def test_the_heap_is_level_only_where_something_expires():
    def observed(store):
        settings = Settings(store=store, ttl_s=0.3, sweep_s=0.1)
        run = observe_steady(settings, IMAGE, rate_per_s=63, periods=5)
        return steady_slope(run, confidence=0.99).estimate, traced_plateau_error(run, len(IMAGE))

    def level(measured):
        slope, error = measured
        return abs(slope) < 0.3 * len(IMAGE) and abs(error) < 0.2

    def growing(measured):
        slope, error = measured
        return slope == pytest.approx(len(IMAGE), rel=0.2) and error > 0.3

    assert level(undisturbed(lambda: observed("ttl"), level))
    assert growing(undisturbed(lambda: observed("leaky"), growing))


def test_a_period_without_a_reading_is_left_out():
    t_s = np.arange(0, 1.5, 0.01)
    t_s = t_s[(t_s < 0.695) | (t_s > 0.955)]  # for so long nobody was let read
    series = Series(t_s, 1000 * t_s, 1000 * t_s[:, None], 100 * t_s[:, None])
    run = Run(Settings(ttl_s=0.3, sweep_s=0.1), 100.0, series, t_s, t_s, t_s)
    jobs, heap = steady_means(run)
    assert jobs.size == 7  # of nine
    assert heap == pytest.approx(10 * jobs)
    assert steady_slope(run, confidence=0.99).estimate == pytest.approx(10)
