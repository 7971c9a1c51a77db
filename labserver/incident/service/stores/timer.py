"""The alternative that the incident's authors rejected: each finished job gets a timer, which is a thread of its own.

Promises: a result can be had for its whole time to live, and is gone that moment. Does not promise: a bound in bytes;
and it costs one sleeping thread for each result kept. Where the system grants no more threads, the job fails.
"""

import threading

from labserver.incident.service.clock import Clock
from labserver.incident.service.jobs import JobResult
from labserver.incident.service.stores.base import DictJobStore
from labserver.incident.service.stores.retention import Retention

# A result lives through its last moment, so a timer that rings on it would have to be set again.
_PAST_IT_S = 0.001


class TimerJobStore(DictJobStore):
    """Starts a `threading.Timer` with each finished job."""

    def __init__(self, retention: Retention, clock: Clock) -> None:
        super().__init__(retention, clock)
        self._timers: dict[str, threading.Timer] = {}
        self._closed = False

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state; a finished one's time begins to run.

        Raises:
            RuntimeError: The system grants no more threads; nothing was changed.
        """
        with self._lock:
            timer = self._start_timer(job_id, self._retention.ttl_s + _PAST_IT_S) if result.state.finished else None
            self._keep(job_id, result)
            if timer is not None:
                self._timers[job_id] = timer

    def sweep(self) -> int:
        """Remove what is due now, which the timers do not know where the clock was moved."""
        with self._lock:
            return self._drop_expired()

    def close(self) -> None:
        """End all timers and keep nothing."""
        with self._lock:
            self._closed = True
        super().close()
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer) and thread.function == self._ring:
                thread.join()

    def _start_timer(self, job_id: str, seconds: float) -> threading.Timer:
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._ring, [job_id])
        timer.name = "labserver-timer"
        timer.daemon = True
        timer.start()
        return timer

    def _ring(self, job_id: str) -> None:
        with self._lock:
            result = self._jobs.get(job_id)
            if result is None or self._closed:
                return
            left_s = result.created_at + self._retention.ttl_s - self._clock()
            if self._is_expired(result):
                self._drop(job_id)
            else:  # by the service's clock it is too early
                self._timers[job_id] = self._start_timer(job_id, max(0, left_s) + _PAST_IT_S)

    def _drop(self, job_id: str) -> None:
        super()._drop(job_id)
        timer = self._timers.pop(job_id, None)
        if timer is not None:
            timer.cancel()
