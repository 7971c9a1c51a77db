"""The comparison of the stores: what is recommended is told apart from what is not."""

import pytest

from labserver.suite.result import Status


def findings(result):
    (notebook,) = [item for item in result.notebooks if item.name.startswith("06")]
    return {found.name: found for found in notebook.findings}


def test_what_is_recommended_refuses_and_loses_nothing(settled):
    found = findings(settled)
    assert found["recommended_store"].value == "byte-budget"
    assert found["recommended_refused"].value == found["recommended_accepted_again"].value > 0
    assert found["recommended_lost_unread"].value == 0
    assert found["reason_weak"].value == "holds"


@pytest.mark.parametrize(
    ("store", "fails"),
    [("ttl", {"recommended_peak_bytes", "recommended_refused"}), ("lru-count", {"recommended_lost_unread"})],
)
def test_another_store_in_its_place_fails_the_claims(run_notebooks, store, fails):
    result = run_notebooks("06", stores=store, recommended_store=store)
    assert result.notebooks[0].status is Status.CLAIM_FAILED
    found = findings(result)
    assert fails <= {name for name, item in found.items() if not item.holds}
    assert all(item.holds for name, item in found.items() if not name.startswith("recommended_"))
