import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from labserver.incident.experiments.capacity import answers

HAND_MADE = runpy.run_path(str(Path(__file__).parents[1] / "claims" / "plan_the_capacity.py"))


@pytest.fixture
def made():
    """The names of a run made by hand, with some of its figures changed."""

    def run(**changed):
        return SimpleNamespace(**HAND_MADE["run"](SimpleNamespace(**(HAND_MADE["GOOD"] | changed))))

    return run


def test_the_answer_on_the_limit_has_every_services_fate_and_the_forecast(made):
    found = made()
    said = answers.exhaustion(found.trials, found.foretold)
    for name, trial in found.trials.items():
        fate = f"{name.replace('_', ' ')} " + ("survived" if trial.death is None else f"failed after {trial.jobs} jobs")
        assert fate in said
    assert f"foretold for job {found.foretold.jobs.estimate:.0f} (" in said


def test_where_nothing_was_limited_the_answer_says_so():
    assert "does not enforce" in answers.exhaustion({}, None)


def test_the_answer_on_the_rates_has_the_formulas_error_and_both_ends(made):
    found = made()
    said = answers.retention(found.cases, found.scales)
    assert "off the formula by at most" in said
    for scale in (found.scales[0], found.scales[-1]):
        assert f"{scale.rate_per_s:,.0f} jobs a second keep" in said


def test_the_answer_on_the_budget_has_erlangs_error(made):
    found = made()
    checked = [(10, 0.10, 0.10), (20, 0.05, 0.08)]
    assert "to within 3.0 % of the jobs" in answers.budget(checked, found.scales)
