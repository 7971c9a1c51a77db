from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import LeakyJobStore


def test_nothing_is_ever_let_go(clock):
    store = LeakyJobStore(Settings(ttl_s=1), clock)
    for number in range(10):
        store.put(str(number), JobResult(JobState.DONE, b"png", None, clock()))
        store.get(str(number))
    clock.now += 10**9
    assert store.sweep() == 0
    assert len(store) == 10
    assert store.kept_bytes() == 30
