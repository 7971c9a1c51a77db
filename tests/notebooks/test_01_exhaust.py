"""`01_exhaust_the_sync_server`: its claims hold, and fail where the queue is taken away or its bound is."""

from labserver.suite.result import Status


def findings(result):
    (notebook,) = [item for item in result.notebooks if item.name.startswith("01")]
    return notebook, {finding.name: finding for finding in notebook.findings}


def test_the_pool_is_exhausted_and_the_queue_gives_it_back(story, settled):
    _, found = findings(settled)
    assert found["sync_throughput_above_per_s"].value < found["capacity_per_s"].value * 1.02
    assert found["health_p50_above_ms"].value > 10 * found["async_health_p50_ms"].value
    assert found["wasted_share"].value > 0.5
    figures = {path.name for path in (story.run_dir / "figures").glob("01_*.svg")}
    assert figures == {f"01_{name}.svg" for name in ("sweep", "timeouts", "backlog", "sync_async", "queue")}


def test_without_the_queue_and_without_its_bound_the_claims_fail(run_notebooks):
    notebook, found = findings(run_notebooks("01", after="sync", queue_bound=1_000_000))
    assert notebook.status is Status.CLAIM_FAILED, notebook.message
    # That their neighbours hold is shown without a clock, by a run made by hand: `exhaust_the_sync_server.py`.
    assert not found["async_health_p95_ms"].holds
    assert not found["bounded_refused_share"].holds
