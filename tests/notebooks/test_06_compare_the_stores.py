"""The comparison of the stores: what is recommended is told apart from what is not."""


def findings(result):
    (notebook,) = [item for item in result.notebooks if item.name.startswith("06")]
    return {found.name: found for found in notebook.findings}


def test_what_is_recommended_refuses_and_loses_nothing(settled):
    found = findings(settled)
    assert found["recommended_store"].value == "byte-budget"
    assert found["recommended_refused"].value == found["recommended_accepted_again"].value > 0
    assert found["recommended_lost_unread"].value == 0
    assert found["reason_weak"].value == "holds"
