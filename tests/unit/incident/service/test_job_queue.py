import threading
import weakref

import pytest

from labserver.incident.service.face import ComposeError
from labserver.incident.service.job_queue import JobQueue, QueueFull
from labserver.incident.service.jobs import JobResult, JobState


class RecordingStore:
    def __init__(self):
        self.puts = []

    def put(self, job_id, result):
        self.puts.append((job_id, result))

    def states(self, job_id):
        return [result.state for name, result in self.puts if name == job_id]


class ForgetfulStore:
    def put(self, job_id, result):
        pass


class Bytes:
    """Stands in for a photograph or an image: `bytes` cannot be referenced weakly."""


@pytest.fixture
def make_queue(clock):
    queues = []

    def make(store, compose=lambda a, b: a + b, *, started=True, **options):
        defaults = {"workers": 1, "queue_size": 4, "service_time_s": 0.0}
        queue = JobQueue(store, clock, compose, **(defaults | options))
        queues.append(queue)
        if started:
            queue.start()
        return queue

    yield make
    for queue in queues:
        queue.close()


def worker_names():
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("labserver-worker"))


def test_a_job_goes_through_its_states_to_its_image(make_queue, clock, wait_until):
    store = RecordingStore()
    queue = make_queue(store)
    queue.submit("a", b"1", b"2")
    wait_until(queue.idle)
    assert store.states("a") == [JobState.PENDING, JobState.RUNNING, JobState.DONE]
    assert store.puts[-1][1] == JobResult(JobState.DONE, b"12", None, clock.now)
    assert queue.finished == 1


def test_the_results_time_is_that_of_completion(make_queue, clock, wait_until):
    def slow(a, b):
        clock.now += 30
        return a + b

    store = RecordingStore()
    queue = make_queue(store, slow)
    queue.submit("a", b"1", b"2")
    wait_until(queue.idle)
    pending, _, done = [result.created_at for _, result in store.puts]
    assert done == pending + 30


def test_a_failure_that_is_explained_reaches_the_client(make_queue, wait_until):
    def fail(_a, _b):
        raise ComposeError("No face in there.")

    store = RecordingStore()
    queue = make_queue(store, fail)
    queue.submit("a", b"1", b"2")
    wait_until(queue.idle)
    assert store.puts[-1][1].error == "No face in there."
    assert store.states("a")[-1] is JobState.FAILED
    assert queue.finished == 1


def test_an_unexpected_failure_is_logged_and_not_told(make_queue, wait_until, caplog):
    def fail(_a, _b):
        raise ZeroDivisionError("secret")

    store = RecordingStore()
    queue = make_queue(store, fail)
    queue.submit("a", b"1", b"2")
    wait_until(queue.idle)
    assert store.puts[-1][1].error == "The face could not be composed."
    assert "secret" in caplog.text
    queue.submit("b", b"1", b"2")
    wait_until(queue.idle)
    assert queue.finished == 2


def test_a_worker_outlives_a_store_that_fails(make_queue, wait_until, caplog):
    class Broken(RecordingStore):
        def put(self, job_id, result):
            if job_id == "broken" and result.state is JobState.RUNNING:
                raise OSError("no connection")
            super().put(job_id, result)

    store = Broken()
    queue = make_queue(store)
    queue.submit("broken", b"1", b"2")
    queue.submit("a", b"1", b"2")
    wait_until(queue.idle)
    assert store.states("a")[-1] is JobState.DONE
    assert "no connection" in caplog.text


def test_a_job_whose_result_cannot_be_kept_fails_instead_of_running_for_ever(make_queue, wait_until, caplog):
    class Full(RecordingStore):
        def put(self, job_id, result):
            if result.state is JobState.DONE:
                raise OSError("no space left")
            super().put(job_id, result)

    store = Full()
    queue = make_queue(store)
    queue.submit("a", b"1", b"2")
    wait_until(queue.idle)
    assert store.states("a")[-1] is JobState.FAILED
    assert store.puts[-1][1].error == "The result could not be kept."
    assert "no space left" in caplog.text


def test_a_full_queue_refuses_and_stores_nothing(make_queue):
    store = RecordingStore()
    queue = make_queue(store, queue_size=2, started=False)
    queue.submit("a", b"1", b"2")
    queue.submit("b", b"1", b"2")
    with pytest.raises(QueueFull):
        queue.submit("c", b"1", b"2")
    assert store.states("c") == []


def test_many_submitters_never_get_in_beyond_the_bound(make_queue):
    store = RecordingStore()
    queue = make_queue(store, queue_size=5, started=False)
    refused = []

    def submit(number):
        try:
            queue.submit(str(number), b"1", b"2")
        except QueueFull:
            refused.append(number)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.puts) == 5
    assert len(refused) == 35


def test_close_is_prompt_though_a_job_waits_and_more_are_queued(make_queue, wait_until):
    store = RecordingStore()
    queue = make_queue(store, workers=2, queue_size=1, service_time_s=3600)
    queue.submit("a", b"1", b"2")
    wait_until(lambda: store.states("a")[-1] is JobState.RUNNING)
    queue.submit("b", b"1", b"2")
    wait_until(lambda: store.states("b")[-1] is JobState.RUNNING)
    queue.submit("c", b"1", b"2")
    closer = threading.Thread(target=queue.close)
    closer.start()
    closer.join(60)
    assert not closer.is_alive()
    assert worker_names() == []
    assert queue.idle()
    assert queue.finished == 0
    assert store.states("c") == [JobState.PENDING]


def test_a_closed_queue_refuses(make_queue):
    store = RecordingStore()
    queue = make_queue(store)
    queue.close()
    with pytest.raises(QueueFull):
        queue.submit("a", b"1", b"2")
    assert store.puts == []


def test_closing_twice_or_without_a_start_is_harmless(make_queue):
    queue = make_queue(RecordingStore(), started=False)
    queue.submit("a", b"1", b"2")
    queue.close()
    queue.close()
    assert queue.idle()


def test_workers_are_named_daemons(make_queue):
    make_queue(RecordingStore(), workers=3)
    assert worker_names() == ["labserver-worker-1", "labserver-worker-2", "labserver-worker-3"]
    assert all(t.daemon for t in threading.enumerate() if t.name in worker_names())


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_a_finished_job_is_kept_by_its_worker(make_queue, wait_until, fails):
    made = []

    def compose(_a, _b):
        if fails:
            raise ComposeError("It did not work.")
        image = Bytes()
        made.append(weakref.ref(image))
        return image

    queue = make_queue(ForgetfulStore(), compose)
    parent_a, parent_b = Bytes(), Bytes()
    made += [weakref.ref(parent_a), weakref.ref(parent_b)]
    queue.submit("a", parent_a, parent_b)
    del parent_a, parent_b
    wait_until(queue.idle)
    assert [ref() for ref in made] == [None] * (2 if fails else 3)


@pytest.mark.usefixtures("without_collector")
def test_nothing_of_a_dropped_job_is_kept(make_queue):
    queue = make_queue(ForgetfulStore(), started=False)
    parent = Bytes()
    ref = weakref.ref(parent)
    queue.submit("a", parent, parent)
    del parent
    assert ref() is not None
    queue.close()
    assert ref() is None


def test_what_waits_is_counted_with_its_photographs(make_queue):
    queue = make_queue(RecordingStore(), started=False)
    assert queue.waiting() == (0, 0)
    queue.submit("a", b"123", b"4")
    queue.submit("b", b"5", b"6")
    assert queue.waiting() == (2, 6)
    queue.stop()
    assert queue.waiting() == (0, 0)


def test_stopping_ends_what_the_work_waits_for_and_fails_no_job(make_queue, wait_until):
    interrupted = threading.Event()

    def wait(_a, _b):
        interrupted.wait(30)
        raise ComposeError("Cut off.")

    store = RecordingStore()
    queue = make_queue(store, wait, interrupt=interrupted.set)
    queue.submit("a", b"1", b"2")
    wait_until(lambda: store.states("a")[-1] is JobState.RUNNING)
    queue.close()
    assert store.states("a")[-1] is JobState.RUNNING
    assert queue.finished == 0
    with pytest.raises(QueueFull):
        queue.submit("b", b"1", b"2")
