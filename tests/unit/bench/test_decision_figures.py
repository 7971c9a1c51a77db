from pathlib import Path

import matplotlib as mpl
import pytest

from labserver.diagnosis.verdict import Verdict

PAGE = (Path(__file__).parents[3] / "docs" / "decides.md").read_text(encoding="utf-8")


@pytest.fixture
def figures(bench):
    return bench("decision_figures")


def test_every_figure_is_drawn_and_on_the_page(figures, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    figures.main()
    assert {path.stem for path in tmp_path.iterdir()} == figures.FIGURES.keys()
    for name in figures.FIGURES:
        assert f"](images/{name}.svg)" in PAGE
        assert "transparent" not in (tmp_path / f"{name}.svg").read_text()


def test_a_figure_is_the_same_every_time(figures, tmp_path):
    drawn = []
    for number in range(2):
        with mpl.rc_context(figures.STYLE):
            figures.interval_figure().savefig(tmp_path / f"{number}.svg", metadata={"Date": None, "Creator": None})
        drawn.append((tmp_path / f"{number}.svg").read_bytes())
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(("items", "verdict"), [([1000.0], Verdict.LEAK), ([], Verdict.NO_LEAK)], ids=["leak", "clean"])
def test_the_interval_ends_on_one_side_of_the_tolerance(figures, items, verdict):
    record = figures.checked(figures.server(*map(figures.one_a_job, items)))
    assert record.result.verdict == verdict
    widths = [one.high - one.low for _, one in record.intervals]
    assert widths[0] > widths[-1]
    last = record.intervals[-1][1]
    assert last.low > figures.TOLERANCE or last.high < figures.TOLERANCE


def test_a_leak_keeps_the_cohort_that_others_lose(figures):
    stores = (figures.one_a_job(2000.0), figures.one_a_job(2000.0, lambda came, _: max(came - 600, 0)))
    kept, lost = (max(figures.checked(figures.server(store)).cohorts, key=len) for store in stores)
    assert {look[0] for look in kept} == {kept[0][0]}
    assert lost[-1][0] == 0 < lost[0][0]
