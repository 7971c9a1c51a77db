"""Weak references, as the incident's authors considered: the map alone does not keep a finished job alive.

Promises: not to hold any memory. Does not promise: that there is ever anything to fetch. A JVM clears weak references
at its next collection; CPython counts references, so a result is gone as soon as its worker lets go of it, before any
client can ask, and a client who polled for it is told 410. Unfinished jobs, which have no bytes, are held firmly.
"""

import weakref

from labserver.incident.service.clock import Clock
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores.base import DictJobStore, image_bytes
from labserver.incident.service.stores.retention import Retention


class WeakJobStore(DictJobStore):
    """Keeps finished jobs in a `WeakValueDictionary`."""

    def __init__(self, retention: Retention, clock: Clock) -> None:
        super().__init__(retention, clock)
        self._results: weakref.WeakValueDictionary[str, JobResult] = weakref.WeakValueDictionary()

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state; a finished one for as long as somebody else does."""
        with self._lock:
            if result.state.finished:
                self._drop(job_id)
                self._results[job_id] = result
            else:
                self._keep(job_id, result)

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where nobody holds it any more."""
        with self._lock:
            return self._jobs.get(job_id) or self._results.get(job_id)

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are alive in each state, zeros included."""
        with self._lock:
            counts = dict(self._counts)
        for result in self._alive():
            counts[result.state] += 1
        return counts

    def kept_bytes(self) -> int:
        """Return the bytes of all images that somebody still holds."""
        return sum(image_bytes(result) for result in self._alive())

    def oldest(self) -> float | None:
        """Return when the oldest of the finished jobs that somebody still holds had finished, None without one."""
        return min((result.created_at for result in self._alive()), default=None)

    def close(self) -> None:
        """Keep nothing."""
        super().close()
        self._results.clear()

    def _alive(self) -> list[JobResult]:
        # Copied in one step: a result may die, and leave the dictionary, while its values are walked through.
        references = self._results.valuerefs()
        return [result for reference in references if (result := reference()) is not None]
