"""What the comparison's figures and tables say, read from what they draw."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from labserver.incident.experiments.stores import figures, tables
from labserver.incident.experiments.stores.run import Comparison
from labserver.incident.experiments.stores.sampler import COLUMNS

MADE = runpy.run_path(str(Path(__file__).parents[1] / "claims" / "compare_the_stores.py"))
STORES = ("leaky", "ttl", "lru-count", "byte-budget", "timer")
MB = 1e6


@pytest.fixture
def runs(tmp_path):
    """Five stores that do as promised, with a curve of three samples each: nothing, the peak, what is left."""
    made = {}
    for store in STORES:
        made[store] = run = MADE["store_run"](store, SimpleNamespace(**MADE["AS_PROMISED"]), tmp_path)
        rows = [(0, 0), (60, run.peak_bytes), (120, run.drained.kept_bytes)]
        lines = [",".join(COLUMNS), *(f"{clock},{kept},0,0,0" for clock, kept in rows)]
        run.curve.write_text("\n".join(lines))
    return made


@pytest.fixture
def comparison(runs):
    return Comparison(runs, {"redis": "redis-server is not on the PATH"})


def test_each_store_has_its_own_axes_in_the_order_given_and_the_rest_stay_empty(runs):
    figure = figures.kept_over_time(runs, recommended="byte-budget", title="T")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [*STORES, "", "", ""]
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False] * 3
    assert len({axes.get_ylim() for axes in figure.axes[:5]}) == 1


def test_a_curve_is_in_minutes_and_megabytes_before_that_of_the_leaky_store(runs):
    figure = figures.kept_over_time(runs, recommended="byte-budget", title="T")
    behind, own = figure.axes[1].lines
    np.testing.assert_allclose(own.get_xdata(), [0, 1, 2])
    np.testing.assert_allclose(own.get_ydata(), [0, runs["ttl"].peak_bytes / MB, 0])
    np.testing.assert_allclose(behind.get_ydata()[-1], runs["leaky"].drained.kept_bytes / MB)
    assert len(figure.axes[0].lines) == 1


def test_what_stays_what_goes_and_what_is_recommended_differ_in_colour(runs):
    figure = figures.kept_over_time(runs, recommended="byte-budget", title="T")
    colours = {axes.get_title(loc="left"): axes.lines[-1].get_color() for axes in figure.axes[:3]}
    assert colours == {"leaky": figures.STAYS, "ttl": figures.GOES, "lru-count": figures.STAYS}
    curve, budget = figure.axes[3].lines[1:]
    assert curve.get_color() == figures.RECOMMENDED
    assert budget.get_ydata()[0] == runs["byte-budget"].settings.budget_bytes / MB


def test_losses_and_refusals_are_written_beside_the_curve(runs):
    figure = figures.kept_over_time(runs, recommended="ttl", title="T")
    words = {axes.get_title(loc="left"): axes.texts[0].get_text() for axes in figure.axes[:4]}
    assert words == {"leaky": "", "ttl": "", "lru-count": "1 lost unread", "byte-budget": "3 refused"}


def test_without_the_leaky_store_there_is_nothing_behind(runs):
    figure = figures.kept_over_time({"ttl": runs["ttl"]}, recommended="byte-budget", title="T")
    assert len(figure.axes[0].lines) == 1


def test_peaks_and_floors_are_bars_and_fates_are_words(runs):
    (axes,) = figures.peak_and_floor(runs, title="T").axes
    widths = [bar.get_width() for bar in axes.patches]
    peaks, floors = widths[: len(runs)], widths[len(runs) :]
    assert peaks == pytest.approx([run.peak_bytes / MB for run in runs.values()])
    assert floors == pytest.approx([run.drained.kept_bytes / MB for run in runs.values()])
    assert [label.get_text() for label in axes.get_yticklabels()] == list(STORES)
    assert axes.yaxis_inverted()
    fates = [text.get_text() for text in axes.texts]
    assert fates == ["", "", "1 lost unread", "3 refused, all taken later", "24 threads"]
    (budget,) = axes.lines
    assert budget.get_xdata()[0] == runs["byte-budget"].settings.budget_bytes / MB


def test_no_budget_is_drawn_where_no_store_has_one(runs):
    (axes,) = figures.peak_and_floor({"ttl": runs["ttl"]}, title="T").axes
    assert not axes.lines


def test_the_real_drain_has_a_row_a_store_and_both_its_instants():
    stores = ("leaky", "weak", "ttl")
    drain = MADE["drained"](stores, dict.fromkeys(stores, SimpleNamespace(gone_after_s=None, went_early=False)))
    (axes,) = figures.real_drain(drain, title="T").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(stores)
    assert [line.get_xdata()[0] for line in axes.lines] == pytest.approx([0.6, 0.7])
    leaky, _, ttl = (area.get_facecolor()[0] for area in axes.collections)
    assert tuple(leaky) != tuple(ttl)
    assert [text.get_text() for text in axes.texts] == ["TTL", "TTL + one sweep"]


def test_what_was_gone_at_once_says_so():
    drain = MADE["drained"](["weak"], {"weak": SimpleNamespace(gone_after_s=0.0, went_early=False)})
    (axes,) = figures.real_drain(drain, title="T").axes
    assert "gone at once" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("table", [tables.bytes_kept, tables.answers, tables.costs])
def test_a_table_has_a_row_a_store_in_their_order_and_says_what_is_missing(table, comparison):
    header, _, *rows = table(comparison).splitlines()
    assert [row.split("`")[1] for row in rows] == [*STORES, "redis"]
    assert "not measured: redis-server is not on the PATH" in rows[-1]
    assert {row.count(" |") for row in rows} == {header.count(" |")}


def test_the_tables_figures_are_in_their_units(comparison):
    peak = comparison.runs["ttl"].peak_bytes / 1000
    assert f"| `ttl` | {peak:,.0f} | 0 | 0 | 10 | in the heap |" in tables.bytes_kept(comparison)
    assert "| `ttl` | 0 | 0 | 200 / 200 / 410 | 200 | 200 / 200 | 0 |" in tables.answers(comparison)
    assert "| `timer` | 24 | 15.6 | 12 |" in tables.costs(comparison)


def test_a_reason_is_judged_only_where_what_it_compares_was_measured(comparison):
    assert tables.rejected(comparison).count("\n") == 1
    comparison.runs["scheduler"] = MADE["store_run"]("scheduler", SimpleNamespace(**MADE["AS_PROMISED"]))
    *_, row = tables.rejected(comparison).splitlines()
    assert row.startswith("| `timer` | a thread per job | **holds in part** | where a timer is a thread, 24 threads")
    assert row.endswith("| `timer_threads_peak` |")


def test_the_title_says_how_the_store_fared_that_it_names(runs):
    run = runs["byte-budget"]
    peak, budget, end = run.peak_bytes / MB, run.settings.budget_bytes / MB, run.drained.kept_bytes / MB
    title = figures.kept_title(run)
    assert title == (
        f"The same load on every store: byte-budget peaks at {peak:.2f} MB (budget {budget:.2f}) and ends at {end:.2f}"
    )
