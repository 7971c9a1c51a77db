"""`05_bound_the_polling`: what its claims mean together."""


def findings(result):
    (notebook,) = [item for item in result.notebooks if item.name.startswith("05")]
    return notebook, {finding.name: finding for finding in notebook.findings}


def test_the_cap_ends_the_polling_and_a_random_part_disperses_a_herd(story, settled):
    _, found = findings(settled)
    assert found["capped_polls_per_job"].value == 40
    assert found["capped_told"].value == "not done after 40 polls"
    assert found["capped_gave_up_after_s"].value < found["observed_s"].value
    assert found["cpu_ms_per_poll"].low > 0
    assert found["unbounded_cpu_s"].value > found["capped_cpu_s"].value > 0
    assert found["retry_after_requests"].value < found["fixed_requests"].value
    figures = {path.name for path in (story.run_dir / "figures").glob("05_*.svg")}
    assert figures == {f"05_{name}.svg" for name in ("requests", "cpu", "herd", "policies")}
