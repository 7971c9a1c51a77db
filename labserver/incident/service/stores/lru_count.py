"""At most so many finished jobs; the least recently used goes for a new one.

Promises: never more than `max_jobs` finished jobs. Does not promise: a bound in bytes, which depends on the results'
sizes; nor that a result was read before it goes: a burst of more than `max_jobs` loses its first ones. Nor does an idle
service ever give anything back.
"""

from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores.base import DictJobStore


class LruCountJobStore(DictJobStore):
    """Keeps the finished jobs that were used last, and all unfinished ones."""

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state; a finished one may push out another."""
        with self._lock:
            self._keep(job_id, result)
            while self._counts[JobState.DONE] + self._counts[JobState.FAILED] > self._retention.max_jobs:
                self._drop(next(self._finished()))

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it was pushed out; asking makes it the most recently used."""
        with self._lock:
            result = self._jobs.pop(job_id, None)
            if result is not None:
                self._jobs[job_id] = result
            return result

    def oldest(self) -> float | None:
        """Return when the oldest of the finished jobs kept had finished, None without one."""
        with self._lock:  # all of them are looked at: they stand in the order of their use
            return min((self._jobs[job_id].created_at for job_id in self._finished()), default=None)
