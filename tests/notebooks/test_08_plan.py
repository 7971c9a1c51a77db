"""The capacity plan's claims fail when their cause is put back."""

from labserver.suite.result import Status


def test_without_its_budget_the_bounded_store_dies(run_notebooks):
    result = run_notebooks("08", bounded_store="leaky", leaky_life_s="2.0", days="2")
    findings = {finding.name: finding for finding in result.notebooks[0].findings}
    assert result.notebooks[0].status is Status.CLAIM_FAILED
    if findings["exhaustion_measured"].value == "yes":
        assert not findings["byte_budget_survived"].holds
        assert not findings["byte_budget_refused"].holds
