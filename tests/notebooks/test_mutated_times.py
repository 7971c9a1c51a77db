"""Notebooks whose claims are about time: they hold on a quiet machine, and fail on any when their cause is put back."""

import pytest

from labserver.suite.result import Status


@pytest.fixture
def failed(run_notebooks):
    """Run one notebook, whose claims fail; gives its findings by name."""

    def run(name, **parameters):
        result = run_notebooks(name, **parameters)
        (notebook,) = result.notebooks
        assert result.exit_code == 1
        assert notebook.status is Status.CLAIM_FAILED, notebook.message
        return {finding.name: finding for finding in notebook.findings}

    return run


def broken(found):
    return {name for name, finding in found.items() if not finding.holds}


def test_without_the_queue_and_without_its_bound(failed):
    # That their neighbours hold is shown without a clock, by a run made by hand: `exhaust_the_sync_server.py`.
    found = failed("01", after="sync", queue_bound=1_000_000)
    assert broken(found) >= {"async_health_p95_ms", "bounded_refused_share"}


def test_without_the_cap(failed):
    found = failed("05", max_polls="1000000", patience_polls="50", herd_clients="4")
    assert found["capped_polls_per_job"].value >= 50  # the experiment ends when they are sent, not after some time
    assert broken(found) >= {"capped_polls_per_job", "capped_gave_up_after_s", "capped_told"}
    assert found["capped_told"].value.startswith("nothing")


@pytest.mark.parametrize(
    ("store", "fails"),
    [("ttl", {"recommended_peak_bytes", "recommended_refused"}), ("lru-count", {"recommended_lost_unread"})],
)
def test_with_another_store_in_the_place_of_the_recommended(failed, store, fails):
    found = failed("06", stores=store, recommended_store=store)
    assert fails <= broken(found)
    assert all(name.startswith("recommended_") for name in broken(found))


def test_without_the_fix(failed):
    assert broken(failed("07", fixed_store="leaky")) >= {
        "first_told_apart_s_ttl_1",
        "first_told_apart_s_ttl_2",
        "first_told_apart_s_ttl_4",
        "ttl_steady_bytes_per_job",
        "plateau_error_max",
        "peak_error_max",
        "traced_plateau_error",
    }


def test_without_its_budget_the_bounded_store_dies(failed):
    found = failed("08", bounded_store="leaky", leaky_life_s="2.0", days="2")
    if found["exhaustion_measured"].value == "yes":
        assert broken(found) >= {"byte_budget_survived", "byte_budget_refused"}
