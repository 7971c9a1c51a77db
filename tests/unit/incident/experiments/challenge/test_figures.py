import numpy as np
import pytest

from labserver.incident.experiments.challenge import figures, tables
from labserver.incident.experiments.challenge.arrivals import Series
from labserver.incident.experiments.challenge.plateau import Cell, Grid
from labserver.incident.experiments.challenge.run import Run
from labserver.incident.experiments.challenge.run_length import Noise
from labserver.incident.experiments.challenge.slow_job import SlowJob
from labserver.incident.service.settings import Settings

MIB = 2.0**20


def run(level):
    jobs = np.arange(1.0, 21)
    heap = np.minimum(jobs, level) * MIB
    series = Series(jobs / 10, heap, heap[:, None], jobs[:, None])
    return Run(Settings(store="ttl", ttl_s=0.5, sweep_s=0.1), 10.0, series, jobs, heap, jobs / 10)


def cell(ttl_s):
    t = np.arange(0, 5, 0.1)
    series = Series(t, t, t[:, None] * MIB, t[:, None])
    return Cell(Settings(store="ttl", ttl_s=ttl_s, sweep_s=0.5), 4.0, MIB, 4 * (ttl_s + 0.25) * MIB, 5 * MIB, series)


def test_an_instant_is_marked_only_where_the_test_saw_one():
    noise = Noise({number: number * MIB for number in range(1, 21)}, MIB, 0.99, 20)
    figure = figures.run_curves([run(30)], [run(5), run(30)], noise, [0.8, None])
    _, above = figure.axes
    assert [text.get_text() for text in above.texts] == ["told apart\nafter 0.80 s"]


def test_the_incident_stands_far_below_the_run_that_it_needs():
    predicted = {1.0: (1.0, 1.2), 600.0: (601.0, 663.0)}
    (axes,) = figures.run_length({1.0: 1.1}, predicted, incident_ttl_s=600.0, incident_run_s=30.0).axes
    assert [text.get_text() for text in axes.texts] == [
        "the incident's TTL needs\n601 to 663 s",
        "its load test ran 30 s",
    ]
    text = tables.run_lengths({1.0: None}, predicted)
    assert "| 1 s | 1.00 to 1.20 s | not told apart |" in text
    assert "| 600 s | 601.00 to 663.00 s | — |" in text


def test_the_sawtooth_has_its_predicted_lines():
    (axes,) = figures.sawtooth(cell(1.0)).axes
    levels = [line.get_ydata()[0] for line in axes.lines if str(line.get_label()).startswith("predicted")]
    assert levels == pytest.approx([6, 5])


def test_cells_lie_on_the_diagonal_where_the_formula_holds():
    grid = Grid([cell(1.0), cell(2.0)], cell(1.0).series)
    (axes,) = figures.measured_against_predicted(grid).axes
    dots = [line for line in axes.lines if str(line.get_label()).startswith("plateau")]
    assert [line.get_xdata()[0] for line in dots] == pytest.approx([line.get_ydata()[0] for line in dots])
    assert "| 4.0/s | 1 s | 5.000 MiB | 5.000 MiB | +0.0 % |" in tables.plateaus(grid)


def test_each_heap_is_labelled_with_its_rate():
    figure = figures.rate_and_heap([660e6, 1320e6], [1e6, 2e6], ttl_s=600, sweep_s=60, rate_per_s=1.48)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.0/s", "2.0/s", "0.5/s", "1.0/s"]
    assert "| 629 MiB | 1.00/s |" in tables.exhausting_rates([660e6], [1e6], ttl_s=600, sweep_s=60)


def test_a_slow_job_s_bars_are_how_long_it_ran_and_was_kept():
    fates = [SlowJob("completion", 1.0, [(2.0, 410)]), SlowJob("submission", 1.0, [(1.1, 410)])]
    (axes,) = figures.slow_job(fates, ttl_s=0.5).axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([1, 1, 1, 0.1])
