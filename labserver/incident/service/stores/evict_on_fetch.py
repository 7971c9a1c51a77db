"""A result goes as soon as it has been fetched.

Promises: nothing unread is lost, and nothing read is kept. Does not promise: any bound, for a result that nobody
fetches stays for ever, as does the record of a failed job. The result is handed out once: a client who asks again, or
whose connection broke while it was sent, is told 410.
"""

from labserver.incident.service.jobs import JobResult
from labserver.incident.service.stores.base import DictJobStore


class EvictOnFetchJobStore(DictJobStore):
    """Drops a job with its image's first delivery."""

    def take(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, the image for the first and last time."""
        with self._lock:
            result = self._jobs.get(job_id)
            if result is not None and result.image is not None:
                self._drop(job_id)
            return result
