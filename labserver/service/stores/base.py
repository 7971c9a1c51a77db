"""The part that in-process policies really share: a dictionary and its lock."""

import threading
from typing import TYPE_CHECKING

from labserver.service.clock import Clock
from labserver.service.jobs import JobResult, JobState

if TYPE_CHECKING:
    from labserver.service.settings import Settings


class DictJobStore:
    """Jobs in a dictionary by id; a policy adds what `sweep` removes and when it runs.

    Args:
        settings: The service's settings; a policy reads its own fields.
        clock: The time that ages are measured with.
    """

    def __init__(self, settings: "Settings", clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, JobResult] = {}

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state in place of the one before."""
        with self._lock:
            self._jobs[job_id] = result

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it is not kept any more."""
        with self._lock:
            return self._jobs.get(job_id)

    def __len__(self) -> int:
        with self._lock:
            return len(self._jobs)

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are kept in each state, zeros included."""
        counts = dict.fromkeys(JobState, 0)
        with self._lock:
            for result in self._jobs.values():
                counts[result.state] += 1
        return counts

    def kept_bytes(self) -> int:
        """Return the bytes of all images that are kept."""
        with self._lock:
            return sum(len(result.image) for result in self._jobs.values() if result.image is not None)

    def start(self) -> None:
        """Start nothing: only policies that act by themselves have something to start."""

    def close(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._jobs.clear()
