import gc

from labserver.job_counters import RUNNING, count_jobs


class Service:
    def __init__(self, live, finished):
        self.live_jobs, self.finished_jobs = (lambda: live), (lambda: finished)


def test_the_jobs_of_all_services_are_counted_together():
    assert count_jobs([Service(1, 10), Service(2, 20)]) == {"live_jobs": 3, "finished_jobs": 30}


def test_nothing_is_said_where_no_service_counts_its_jobs():
    assert count_jobs([]) == {}


def test_a_service_that_was_dropped_without_a_close_is_not_counted():
    before = len(RUNNING)
    service = Service(1, 1)
    RUNNING.add(service)
    assert len(RUNNING) == before + 1
    del service
    gc.collect()
    assert len(RUNNING) == before
