"""`01_exhaust_the_sync_server`: what its claims mean together."""


def findings(result):
    (notebook,) = [item for item in result.notebooks if item.name.startswith("01")]
    return notebook, {finding.name: finding for finding in notebook.findings}


def test_the_pool_is_exhausted_and_the_queue_gives_it_back(story, settled):
    _, found = findings(settled)
    assert found["sync_throughput_above_per_s"].value < found["capacity_per_s"].value * 1.02
    assert found["health_p50_above_ms"].value > 10 * found["async_health_p50_ms"].value
    assert found["wasted_share"].value > 0.5
    names = ("littles_law", "sweep", "timeouts", "backlog", "sync_async", "queue")
    figures = {path.name for path in (story.run_dir / "figures").glob("01_*.svg")}
    assert figures == {f"01_{name}.svg" for name in names}
