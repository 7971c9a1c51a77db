import numpy as np

from labserver.diagnosis.decide.byte_channel import (
    growth_start,
    late_start,
    only_comes_back,
    quiet_start,
    steadiness_of_bytes,
)
from labserver.diagnosis.decide.floors import Floors
from labserver.diagnosis.decide.steadiness import Steadiness

JOBS = list(range(0, 2001, 50))
NOISE = np.random.default_rng(0).normal(0, 2000, len(JOBS))


def floors(size_of, jobs=JOBS, risk=1e-3):
    sizes = [2e7 + size_of(job) + noise for job, noise in zip(jobs, NOISE, strict=False)]
    return Floors(jobs, sizes, 2000.0, risk)


def steadiness(read):
    return steadiness_of_bytes(read, 0, 5000.0, final=False)


def test_the_steadiness_of_bytes():
    def leak(job):
        return 1000 * job

    assert steadiness(floors(leak)) is Steadiness.STEADY
    assert steadiness(floors(lambda job: 3e6 * (1 - np.exp(-job / 3000)))) is Steadiness.SLOWING
    assert steadiness(floors(lambda job: 3e6 * (1 - np.exp(-job / 300)))) is Steadiness.SLOWING
    assert steadiness(floors(leak, JOBS[:8])) is Steadiness.UNSURE
    assert steadiness(floors(lambda job: -leak(job))) is Steadiness.UNSURE


def test_a_floor_that_was_read_twice_says_nothing_new():
    once = floors(lambda job: 1000 * job)
    twice = Floors([*once.jobs, once.jobs[-1]], [*once.sizes, once.sizes[-1]], once.noise_bytes, once.risk)
    assert steadiness(twice) is steadiness(once)


def test_growth_starts_where_it_does():
    assert growth_start(floors(lambda _: 0), 256) is None
    assert growth_start(floors(lambda job: 1000 * job), 256) == 0
    late = growth_start(floors(lambda job: 1000 * max(job - 1000, 0)), 256)
    assert abs(JOBS[late] - 1000) <= 100


def test_two_high_steps_are_no_growth_and_more_are():
    assert growth_start(floors(lambda job: 1e5 * (job >= 100) + 1e5 * (job >= 200), JOBS[:6], risk=0.01), 256) is None
    assert growth_start(floors(lambda job: 1e5 * (job // 50), JOBS[:6], risk=0.01), 256) == 0


def test_quiet_is_what_stays_below_the_tolerance_to_the_end():
    assert quiet_start(floors(lambda _: 0), 256) == 0
    assert quiet_start(floors(lambda job: 1000 * job), 256) is None
    assert quiet_start(floors(lambda job: 1000 * min(job, 500)), 256) == len(JOBS) - 10
    assert quiet_start(floors(lambda job: 1000 * max(job - 1900, 0)), 256) is None


def test_what_is_emptied_when_it_is_full_only_comes_back():
    assert only_comes_back(floors(lambda job: 1000 * (job % 1050)), 0)
    assert not only_comes_back(floors(lambda job: 1000 * job), 0)
    assert not only_comes_back(floors(lambda job: 1000 * job - 60_000 * (job == JOBS[-1])), 0)


def test_floors_a_few_jobs_apart_tell_no_slope_of_their_own():
    """While something is waited for that goes by itself, a timer adds to what the jobs keep."""
    waited = [*JOBS, *(JOBS[-1] + 5 * number for number in range(1, 5))]

    def leak(job):
        return 1800 * job + 13_000 * max(job - JOBS[-1], 0)

    assert late_start(floors(leak, waited[: len(NOISE)]), 0) == 0
    sizes = [2e7 + leak(job) for job in waited]
    assert late_start(Floors(waited, sizes, 2000.0, 1e-3), 0) == 0
    late = [2e7 + 1800 * max(job - 1500, 0) for job in JOBS]
    assert JOBS[late_start(Floors(JOBS, late, 2000.0, 1e-3), 0)] >= 1450
