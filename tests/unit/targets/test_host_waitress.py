import threading
import weakref

from labserver.heap.meters import wait_until
from labserver.targets.host_waitress import _Pool


class Task:
    def __init__(self):
        self.done = threading.Event()

    def service(self):
        self.done.set()

    def cancel(self):
        self.done.set()


def test_a_thread_that_waits_for_work_has_let_go_of_its_last_request():
    pool = _Pool("waitress")
    pool.set_thread_count(1)
    try:
        task = Task()
        done, alive = task.done, weakref.ref(task)
        pool.add_task(task)
        del task
        assert done.wait(60)
        assert wait_until(lambda: alive() is None, timeout_s=60)
    finally:
        pool.shutdown()


def test_a_task_that_never_gets_a_thread_is_cancelled():
    pool = _Pool("waitress")
    task = Task()
    pool.add_task(task)
    pool.shutdown()
    assert task.done.is_set()
