"""The rejected timers done right: one thread sleeps until the earliest of all deadlines, which a heap keeps in order.

Promises: a result can be had for its whole time to live, and is gone that moment, at the cost of one thread. Does not
promise: a bound in bytes; nor that a result was read before it goes.
"""

import heapq
import threading

from labserver.incident.service.clock import Clock
from labserver.incident.service.jobs import JobResult
from labserver.incident.service.stores.base import DictJobStore
from labserver.incident.service.stores.retention import Retention

# A deadline counts as over only after it, so a sleep that ends on it would begin again at once.
_PAST_IT_S = 0.001


class SchedulerJobStore(DictJobStore):
    """Keeps a heap of (deadline, job id) beside the jobs; both shrink together."""

    def __init__(self, retention: Retention, clock: Clock) -> None:
        super().__init__(retention, clock)
        self._changed = threading.Condition(self._lock)
        self._deadlines: list[tuple[float, str]] = []
        self._thread: threading.Thread | None = None
        self._stopping = False

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state; a finished one gets its deadline."""
        with self._changed:
            self._keep(job_id, result)
            if result.state.finished:
                heapq.heappush(self._deadlines, (result.created_at + self._retention.ttl_s, job_id))
                if self._deadlines[0][1] == job_id:  # only an earlier deadline shortens the sleep
                    self._changed.notify()

    def sweep(self) -> int:
        """Remove what is due now, which the sleeping thread does not know where the clock was moved."""
        with self._changed:
            return self._drop_due()

    def start(self) -> None:
        """Start the thread."""
        thread = threading.Thread(target=self._run, name="labserver-scheduler", daemon=True)
        thread.start()
        self._thread = thread  # only now: one that the system does not grant is none to join

    def close(self) -> None:
        """Stop the thread and keep nothing."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        super().close()
        self._deadlines.clear()

    def _run(self) -> None:
        with self._changed:
            while not self._stopping:
                self._drop_due()
                self._changed.wait(self._sleep_s())

    def _sleep_s(self) -> float | None:
        if not self._deadlines:
            return None
        return min(self._deadlines[0][0] - self._clock() + _PAST_IT_S, threading.TIMEOUT_MAX)

    def _drop_due(self) -> int:
        before, now = len(self._jobs), self._clock()
        while self._deadlines and self._deadlines[0][0] < now:
            self._drop(heapq.heappop(self._deadlines)[1])
        return before - len(self._jobs)
