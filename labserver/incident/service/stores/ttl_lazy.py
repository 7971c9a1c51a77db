"""cachetools' TTLCache: an expired result is hidden at once, but its bytes stay until the next job is put.

Promises: a result can be had for its whole time to live and not a moment longer. Does not promise: that memory comes
back; with no thread of its own, a service that has become quiet keeps the results of its last busy time for ever.
Unfinished jobs are outside the cache and never expire.
"""

import math
from typing import Any

from labserver.extras import needed
from labserver.incident.service.clock import Clock
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores.base import DictJobStore, image_bytes
from labserver.incident.service.stores.retention import Retention


class TtlLazyJobStore(DictJobStore):
    """Keeps finished jobs in one TTLCache for each final state; their ages count from completion."""

    def __init__(self, retention: Retention, clock: Clock) -> None:
        super().__init__(retention, clock)
        cachetools = needed("cachetools", by="The store 'ttl-lazy'")
        # TTLCache's own `len` and `currsize` remove what has expired; to look must not be to touch.
        self._base = cachetools.Cache
        self._caches: dict[JobState, Any] = {
            state: cachetools.TTLCache(math.inf, retention.ttl_s, timer=clock, getsizeof=image_bytes)
            for state in JobState
            if state.finished
        }

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state, and let go all that has expired."""
        with self._lock:
            for cache in self._caches.values():
                cache.expire()
            self._drop(job_id)
            if result.state.finished:
                self._caches[result.state][job_id] = result
            else:
                self._keep(job_id, result)

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it has expired."""
        with self._lock:
            for jobs in (self._jobs, *self._caches.values()):
                result: JobResult | None = jobs.get(job_id)
                if result is not None:
                    return result
            return None

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are kept in each state, hidden ones included."""
        with self._lock:
            return self._counts | {state: self._base.__len__(cache) for state, cache in self._caches.items()}

    def kept_bytes(self) -> int:
        """Return the bytes of all images that are kept, hidden ones included."""
        with self._lock:
            return sum(self._base.currsize.fget(cache) for cache in self._caches.values())

    def oldest(self) -> float | None:
        """Return when the oldest of the finished jobs kept had finished, hidden ones included, None without one."""
        with self._lock:
            firsts = (self._first(cache) for cache in self._caches.values() if self._base.__len__(cache))
            return min((result.created_at for result in firsts), default=None)

    def close(self) -> None:
        """Keep nothing."""
        super().close()
        with self._lock:
            for cache in self._caches.values():
                cache.clear()

    def _first(self, cache: Any) -> JobResult:
        """Return what was put first, past TTLCache's own access, which hides what has expired."""
        result: JobResult = self._base.__getitem__(cache, next(self._base.__iter__(cache)))
        return result
