import pytest

from labserver.service.settings import Settings
from labserver.service.stores import TtlJobStore
from labserver.suite.plateau import measure_grid, observe_steady, steady_slope, traced_plateau_error

IMAGE = bytes(20_000)


def grid(store="ttl"):
    return measure_grid(Settings(store=store, sweep_s=0.2, workers=1), [43.0, 87.0], [0.4], IMAGE, periods=3)


def test_rate_and_time_to_live_make_the_bytes():
    measured = grid()
    assert [cell.rate_per_s for cell in measured.cells] == pytest.approx([43, 87], rel=0.1)
    assert [cell.result_bytes for cell in measured.cells] == pytest.approx([20_000] * 2)
    assert all(abs(error) < 0.1 for cell in measured.cells for error in cell.errors)
    assert all(cell.peak_bytes > cell.mean_bytes for cell in measured.cells)
    assert len(set(measured.names)) == 2


def test_without_sweeps_the_bytes_are_not_those(monkeypatch):
    monkeypatch.setattr(TtlJobStore, "sweep", lambda _: 0)
    assert min(min(cell.errors) for cell in grid().cells) > 0.2


def test_the_heap_is_level_only_where_something_expires():
    settings = {store: Settings(store=store, ttl_s=0.3, sweep_s=0.1) for store in ("leaky", "ttl")}
    runs = {store: observe_steady(each, IMAGE, rate_per_s=63, periods=5) for store, each in settings.items()}
    slopes = {store: steady_slope(run, confidence=0.99) for store, run in runs.items()}
    assert abs(slopes["ttl"].estimate) < 0.3 * len(IMAGE)
    assert slopes["leaky"].estimate == pytest.approx(len(IMAGE), rel=0.2)
    assert abs(traced_plateau_error(runs["ttl"], len(IMAGE))) < 0.2
    assert traced_plateau_error(runs["leaky"], len(IMAGE)) > 0.3
