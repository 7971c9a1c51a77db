import threading

import psutil
import pytest

from labserver.incident.experiments.leak.run import Workload, experiment, record_bytes
from labserver.incident.service.settings import Settings

QUICK = Workload(users=2, duration_s=0.3, poll_interval_s=0.02)


def quick(store):
    # The last floor comes two sweeps after the time to live: the second of them is what a late sweeper has.
    return Settings(store=store, ttl_s=0.6, sweep_s=1.0, service_time_s=0.0)


@pytest.fixture(scope="module")
def verified(tmp_path_factory):
    """Both stores through the same protocol."""
    runs = {}
    for store in ("leaky", "ttl"):
        csv = tmp_path_factory.mktemp(store) / "curve.csv"
        with experiment(quick(store), QUICK, csv=csv, sample_interval_s=0.05) as run:
            waited = run.verify(warmup_jobs=10, cycles=2)
        runs[store] = run, waited
    return runs


def test_a_floor_follows_the_warm_up_and_each_cycle(verified):
    run, waited = verified["leaky"]
    assert len(run.floors) == 3
    jobs = [floor.finished_jobs for floor in run.floors]
    assert jobs[0] == 10
    assert jobs == sorted(set(jobs))
    assert waited == pytest.approx(0.6 + 2 * 1.0)


def test_summaries_are_the_cycles_without_the_warm_up(verified):
    run, _ = verified["leaky"]
    assert sum(summary.iterations for summary in run.summaries()) == run.floors[-1].finished_jobs - 10
    assert 100_000 < run.mean_png_bytes() < 300_000


def test_the_leaky_store_keeps_a_result_a_job_and_the_fixed_one_none(verified):
    leaky, fixed = verified["leaky"][0], verified["ttl"][0]
    assert leaky.bytes_per_job().estimate == pytest.approx(leaky.mean_png_bytes(), rel=0.1)
    assert [floor.live_jobs for floor in leaky.floors] == [floor.finished_jobs for floor in leaky.floors]
    assert abs(fixed.bytes_per_job().estimate) < 0.1 * fixed.mean_png_bytes()
    assert {floor.live_jobs for floor in fixed.floors} == {0}


def test_only_the_store_that_sweeps_drops_jobs_while_waiting(verified):
    assert verified["leaky"][0].swept_while_waiting == 0
    assert verified["ttl"][0].swept_while_waiting > 0


def test_the_curve_knows_where_the_loads_were(verified):
    names = [name for name, _ in verified["ttl"][0].curve.marks]
    assert names == ["warm-up", "load", "drained", "load", "drained", "TTL passed"]


def test_nothing_is_left_when_the_block_fails(tmp_path):
    threads, children = set(threading.enumerate()), set(psutil.Process().children())

    def interrupted():
        with experiment(quick("leaky"), QUICK, csv=tmp_path / "c.csv", sample_interval_s=0.05) as run:
            run.users.run(iterations=2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert set(threading.enumerate()) <= threads
    assert set(psutil.Process().children()) <= children


def test_a_record_costs_some_hundred_bytes():
    assert 150 < record_bytes(Settings(store="leaky")) < 600
