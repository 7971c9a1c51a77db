"""What is recommended: a bound in bytes as well as in time, and new work is refused rather than old work lost.

A job is taken only if its image, at the largest that it can become, fits into `budget_bytes` beside all that is kept
and promised. Room is made with expired results, then with read ones, the first that was read first; where that is
not enough, the job is refused and its client told to come back (503 with Retry-After).

Promises: images and promises together never exceed `budget_bytes`; a result that was not read can be had for its whole
time to live; nothing finished is kept longer than that and one sweep, and nothing expired is ever served. Does not
promise: that a new job is taken; nor that a result can be fetched a second time.
"""

from labserver.errors import UsageError
from labserver.incident.service.clock import Clock
from labserver.incident.service.face import largest_png_bytes
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores.base import image_bytes, too_large
from labserver.incident.service.stores.retention import Retention
from labserver.incident.service.stores.store import StoreFull
from labserver.incident.service.stores.ttl import TtlJobStore


class ByteBudgetJobStore(TtlJobStore):
    """A swept store that reserves each job's bytes when it takes the job.

    Raises:
        UsageError: The budget is smaller than a single result may be.
    """

    def __init__(self, retention: Retention, clock: Clock) -> None:
        super().__init__(retention, clock)
        self._largest = largest_png_bytes(retention.result_px)
        if retention.budget_bytes < self._largest:
            raise UsageError(
                f"budget_bytes={retention.budget_bytes} is not allowed with the store 'byte-budget': one result of "
                f"{retention.result_px} px may take {self._largest} bytes."
            )
        self._read: dict[str, None] = {}

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state.

        A result that has become larger than it can be by its side in pixels, and finds no room, ends as a failed job.

        Raises:
            StoreFull: There is no room for a job that is new.
        """
        with self._lock:
            before = self._jobs.get(job_id)
            if not self._make_room(self._claim(result) - self._claim(before)):
                if before is None:
                    raise StoreFull("All results kept are still to be read.", self._retention.retry_after_s)
                result = too_large(result)
            self._keep(job_id, result)

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it is expired or had to make room."""
        with self._lock:
            return self._served(job_id)

    def take(self, job_id: str) -> JobResult | None:
        """Return the same, and note that the image has been read."""
        with self._lock:
            result = self._served(job_id)
            if result is not None and result.image is not None:
                self._read[job_id] = None
            return result

    def _served(self, job_id: str) -> JobResult | None:
        result = self._jobs.get(job_id)
        return None if result is None or self._is_expired(result) else result

    def _make_room(self, needed: int) -> bool:
        """Drop what may be dropped until `needed` more bytes fit, and return whether they do."""
        if self._free() < needed:
            self._drop_expired()
        while self._free() < needed and self._read:
            self._drop(next(iter(self._read)))
        return self._free() >= needed

    def _claim(self, result: JobResult | None) -> int:
        """Return the bytes that a job has a right to: those of its image, or of the largest that it may get."""
        if result is None:
            return 0
        return image_bytes(result) if result.state.finished else self._largest

    def _free(self) -> int:
        unfinished = self._counts[JobState.PENDING] + self._counts[JobState.RUNNING]
        return self._retention.budget_bytes - self._bytes - unfinished * self._largest

    def _drop(self, job_id: str) -> None:
        super()._drop(job_id)
        self._read.pop(job_id, None)
