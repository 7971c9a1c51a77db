"""The part that in-process policies really share: a dictionary, its lock, and exact books over what is in it."""

import threading
from collections.abc import Iterator
from dataclasses import replace

from labserver.incident.service.clock import Clock
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores.retention import Retention


class DictJobStore:
    """Jobs in a dictionary by id, in the order of their newest states; a policy adds what it lets go and when.

    Args:
        retention: What is asked of the policies; each reads its own figures.
        clock: The time that ages are measured with.
    """

    def __init__(self, retention: Retention, clock: Clock) -> None:
        self._retention = retention
        self._clock = clock
        # Methods with an underscore expect that it is held.
        self._lock = threading.Lock()
        self._jobs: dict[str, JobResult] = {}
        self._counts = dict.fromkeys(JobState, 0)
        self._bytes = 0

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state in place of the one before."""
        with self._lock:
            self._keep(job_id, result)

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it is not kept any more."""
        with self._lock:
            return self._jobs.get(job_id)

    def take(self, job_id: str) -> JobResult | None:
        """Return the same to a client who asked for the image."""
        return self.get(job_id)

    def __len__(self) -> int:
        with self._lock:
            return len(self._jobs)

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are kept in each state, zeros included."""
        with self._lock:
            return dict(self._counts)

    def kept_bytes(self) -> int:
        """Return the bytes of all images that are kept."""
        with self._lock:
            return self._bytes

    def oldest(self) -> float | None:
        """Return when the oldest of the finished jobs kept had finished, None without one."""
        with self._lock:
            first = next(self._finished(), None)
            return None if first is None else self._jobs[first].created_at

    def sweep(self) -> int:
        """Remove nothing: the policy has no sweep."""
        return 0

    def start(self) -> None:
        """Start nothing: only policies that act by themselves have something to start."""

    def close(self) -> None:
        """Keep nothing."""
        with self._lock:
            for job_id in list(self._jobs):
                self._drop(job_id)

    def _keep(self, job_id: str, result: JobResult) -> None:
        self._drop(job_id)
        self._jobs[job_id] = result
        self._counts[result.state] += 1
        self._bytes += image_bytes(result)

    def _drop(self, job_id: str) -> None:
        result = self._jobs.pop(job_id, None)
        if result is not None:
            self._counts[result.state] -= 1
            self._bytes -= image_bytes(result)

    def _finished(self) -> Iterator[str]:
        """Yield the finished jobs, the first that finished first."""
        return (job_id for job_id, result in self._jobs.items() if result.state.finished)

    def _is_expired(self, result: JobResult) -> bool:
        """Whether a finished job is older than the time to live, counted from its completion."""
        return result.state.finished and self._clock() - result.created_at > self._retention.ttl_s

    def _drop_expired(self) -> int:
        expired = [job_id for job_id, result in self._jobs.items() if self._is_expired(result)]
        for job_id in expired:
            self._drop(job_id)
        return len(expired)


def image_bytes(result: JobResult) -> int:
    """Return the size of a job's image, 0 without one."""
    return 0 if result.image is None else len(result.image)


def too_large(result: JobResult) -> JobResult:
    """Return the job as a failed one: its image has no place even in an empty store."""
    return replace(result, state=JobState.FAILED, image=None, error="The result is too large to be kept.")
