"""Soft references, as the incident's authors considered: results stay while memory is plentiful.

Python has none, so their rule is rebuilt after HotSpot's: a heap of `budget_bytes` that the images share; whenever a
job is put, which is where a JVM would collect, every result goes that nobody asked for within `soft_s_per_mib` seconds
for each MiB of that heap still free (HotSpot's SoftRefLRUPolicyMSPerMB, 1 s by default); and where even that leaves
the heap overfull, the least recently used go until it is not. Pressure is thus a matter of these images alone, counted
exactly, not of the process's resident memory, which seldom shrinks when objects die.

Promises: never more than `budget_bytes` of images. Does not promise: that a result is there when its client comes,
read or not; how long one lives depends on the other jobs. An idle service keeps what it has.
"""

from labserver.incident.service.clock import Clock
from labserver.incident.service.jobs import JobResult
from labserver.incident.service.stores.base import DictJobStore
from labserver.incident.service.stores.retention import Retention


class SoftJobStore(DictJobStore):
    """Gives finished jobs up under memory pressure, the least recently used first."""

    def __init__(self, retention: Retention, clock: Clock) -> None:
        super().__init__(retention, clock)
        # When each finished job was last asked for, the least recently used first.
        self._used: dict[str, float] = {}

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state, and give up what the pressure demands."""
        with self._lock:
            self._keep(job_id, result)
            if result.state.finished:
                self._touch(job_id)
            self._give_up()

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it was given up; asking makes it used."""
        with self._lock:
            if job_id in self._used:
                self._touch(job_id)
            return self._jobs.get(job_id)

    def sweep(self) -> int:
        """Give up what the pressure demands, and return how many jobs that were: a collection between two puts."""
        with self._lock:
            return self._give_up()

    def _touch(self, job_id: str) -> None:
        self._used.pop(job_id, None)
        self._used[job_id] = self._clock()

    def _give_up(self) -> int:
        before = len(self._used)
        free_mib = max(0, self._retention.budget_bytes - self._bytes) / 2**20
        oldest_use = self._clock() - free_mib * self._retention.soft_s_per_mib
        for job_id in [job_id for job_id, used in self._used.items() if used < oldest_use]:
            self._drop(job_id)
        while self._bytes > self._retention.budget_bytes:
            self._drop(next(iter(self._used)))
        return before - len(self._used)

    def _drop(self, job_id: str) -> None:
        super()._drop(job_id)
        self._used.pop(job_id, None)
