from dataclasses import replace
from pathlib import Path

import pytest

from labserver.suite.catalog import find_notebooks
from labserver.suite.parameters import read_parameters
from labserver.suite.result import Status
from labserver.suite.runner import run_suite

FOLDER = Path(__file__).parents[2] / "notebooks"
# The same code path as any other run; the parameters alone make it small.
SMALL = {
    "duration_s": "0.8",
    "poll_interval_s": "0.05",
    "service_time_s": "0.01",
    "ttl_s": "1.0",
    "sweep_s": "0.1",
    # Of fewer floors the interval would be wider than the bound: Student's t of two degrees of freedom is 10.
    "cycles": "5",
    "sample_interval_s": "0.1",
    "inference_s": "0.15",
    "measure_s": "0.8",
    "overload_s": "1.5",
    "poll_s": "0.15",
    "shortest_ttl_s": "0.2",
    "grid_ttl_s": "0.6",
    "grid_sweep_s": "0.3",
    "steady_periods": "3",
    "steady_jobs": "4",
    "burst_jobs": "20",
    "late_jobs": "1",
    "failed_jobs": "1",
    "budget_results": "8",
    "short_ttl_s": "0.4",
    # So few that they ask within one window also on a busy machine.
    "herd_clients": "20",
    "herd_poll_s": "0.6",
    "herd_job_s": "1.4",
    "days": "20",
    "fast": "true",
    "tolerance": "512",
}


def pytest_collection_modifyitems(items):
    """Allow for the whole suite, which the first test that looks at it waits for."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def run_notebooks(tmp_path_factory):
    """Run real notebooks through the real runner at small scale."""

    def run(*names, **parameters):
        notebooks = find_notebooks(names, FOLDER)
        known = {name for notebook in notebooks for name in read_parameters(notebook)}
        small = {name: value for name, value in SMALL.items() if name in known}
        return run_suite(
            notebooks,
            parameters={**small, **parameters},
            profile=None,
            output_root=tmp_path_factory.mktemp("runs"),
            deadline_s=240,
            echo=print,
        )

    return run


@pytest.fixture(scope="session")
def story(run_notebooks):
    """The whole suite, once."""
    return run_notebooks()


@pytest.fixture(scope="session")
def settled(story, run_notebooks):
    """The same; where the machine upset a claim about time, with that notebook as it ran once more."""
    upset = [item.name for item in story.notebooks if item.status is Status.CLAIM_FAILED]
    again = run_notebooks(*upset).notebooks if upset else ()
    latest = {item.name: item for item in (*story.notebooks, *again)}
    return replace(story, notebooks=tuple(latest.values()))
