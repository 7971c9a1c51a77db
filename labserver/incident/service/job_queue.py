"""The bounded queue that runs jobs on worker threads."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from labserver.incident.service.clock import Clock
from labserver.incident.service.face import ComposeError
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores import JobStore

_logger = logging.getLogger(__name__)

Compose = Callable[[bytes, bytes], bytes]


class QueueFull(Exception):  # noqa: N818 - named like the standard library's queue.Full
    """No more jobs are taken at the moment."""


class _Task(NamedTuple):
    job_id: str
    parent_a: bytes
    parent_b: bytes


class JobQueue:
    """Runs submitted jobs on worker threads and writes each state into the store.

    A job's photographs and image are referenced by nothing in here once it has finished: what is
    kept of a job is the store's decision alone.

    Args:
        store: Where states and results go.
        clock: Stamps the results.
        compose: The work: two photographs in, a PNG out; raises `ComposeError` with a reason for the client.
        workers: Number of threads.
        queue_size: Jobs that may wait for a worker.
        service_time_s: Seconds that each job waits before its work, in place of a slow model.
        interrupt: Ends what `compose` may be waiting for, when the queue is stopped.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, each with a unit of its own
        self,
        store: JobStore,
        clock: Clock,
        compose: Compose,
        *,
        workers: int,
        queue_size: int,
        service_time_s: float,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._compose = compose
        self._workers = workers
        self._service_time_s = service_time_s
        self._interrupt = interrupt
        self._queue: queue.Queue[_Task | None] = queue.Queue(queue_size)
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards the counters and the decision to take a job
        self._threads: list[threading.Thread] = []
        self._unfinished = 0
        self._finished = 0

    @property
    def finished(self) -> int:
        """Jobs that ended, done or failed; a job counts once its worker holds nothing of it any more."""
        with self._lock:
            return self._finished

    def idle(self) -> bool:
        """Return whether nothing is queued or running."""
        with self._lock:
            return self._unfinished == 0

    def waiting(self) -> tuple[int, int]:
        """Return how many jobs wait for a worker, and the bytes of their photographs."""
        with self._queue.mutex:
            sizes = [len(task.parent_a) + len(task.parent_b) for task in self._queue.queue if task is not None]
        return len(sizes), sum(sizes)

    def start(self) -> None:
        """Start the worker threads; they are daemons, so a process that dies is never held up by them."""
        for number in range(1, self._workers + 1):
            thread = threading.Thread(target=self._work, name=f"labserver-worker-{number}", daemon=True)
            thread.start()  # first: one that the system does not grant is none to join
            self._threads.append(thread)

    def submit(self, job_id: str, parent_a: bytes, parent_b: bytes) -> None:
        """Store a job as pending and queue it.

        Raises:
            QueueFull: No place is free, or the queue is closed; nothing was stored.
            StoreUnavailable: The store takes no new job; nothing was queued.
        """
        # Only submissions add tasks and they hold the lock, so a place that is seen free stays free.
        # The job is stored first: a worker may finish it before `put_nowait` has returned.
        with self._lock:
            if self._stopping.is_set() or self._queue.full():
                raise QueueFull
            self._put(job_id, JobState.PENDING)
            self._queue.put_nowait(_Task(job_id, parent_a, parent_b))
            self._unfinished += 1

    def stop(self) -> None:
        """Stop taking jobs, drop the queued ones and end the running ones' wait; may be called again."""
        with self._lock:
            self._stopping.set()
        self._drop_queued()
        self._interrupt()

    def close(self) -> None:
        """Stop, and join the threads."""
        self.stop()
        if self._threads:
            self._queue.put_nowait(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._drop_queued()

    def _drop_queued(self) -> None:
        while True:
            try:
                dropped = self._queue.get_nowait()
            except queue.Empty:
                return
            if dropped is not None:
                with self._lock:
                    self._unfinished -= 1

    def _work(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Run one job in a frame of its own: a loop's local would keep the last job's bytes alive."""
        task = self._queue.get()
        if task is None:
            self._queue.put_nowait(None)  # one sentinel is passed on from worker to worker
            return False
        try:
            ended = self._run(task)
        except Exception:
            _logger.exception("The state of a job could not be stored")
            self._give_up(task.job_id)
            ended = True
        del task
        with self._lock:
            self._unfinished -= 1
            self._finished += ended
        return True

    def _run(self, task: _Task) -> bool:
        """Return whether the job ended by itself, rather than by the queue's closing."""
        self._put(task.job_id, JobState.RUNNING)
        if self._stopping.wait(self._service_time_s):
            return False
        try:
            image = self._compose(task.parent_a, task.parent_b)
        except ComposeError as error:
            if self._stopping.is_set():  # which is why it failed, perhaps
                return False
            self._put(task.job_id, JobState.FAILED, error=str(error))
        except Exception:
            _logger.exception("A job failed unexpectedly")
            self._put(task.job_id, JobState.FAILED, error="The face could not be composed.")
        else:
            self._put(task.job_id, JobState.DONE, image=image)
        return True

    def _give_up(self, job_id: str) -> None:
        """End a job whose state was refused, so that its client does not poll for ever."""
        try:
            self._put(job_id, JobState.FAILED, error="The result could not be kept.")
        except Exception:
            _logger.exception("Nor could the job be marked as failed")

    def _put(self, job_id: str, state: JobState, *, image: bytes | None = None, error: str | None = None) -> None:
        self._store.put(job_id, JobResult(state, image, error, self._clock()))
