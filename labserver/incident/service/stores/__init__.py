"""Where jobs are kept: one retention policy a file, found by name.

The policies differ in nothing but what they let go and when, so that a comparison of two services
is a comparison of their stores. What each promises and does not stands in its module.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from labserver.incident.service.clock import Clock
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores.base import StoreFull, StoreUnavailable
from labserver.incident.service.stores.byte_budget import ByteBudgetJobStore
from labserver.incident.service.stores.disk import DiskJobStore
from labserver.incident.service.stores.evict_on_fetch import EvictOnFetchJobStore
from labserver.incident.service.stores.leaky import LeakyJobStore
from labserver.incident.service.stores.lru_count import LruCountJobStore
from labserver.incident.service.stores.redis import RedisJobStore
from labserver.incident.service.stores.scheduler import SchedulerJobStore
from labserver.incident.service.stores.soft import SoftJobStore
from labserver.incident.service.stores.timer import TimerJobStore
from labserver.incident.service.stores.ttl import TtlJobStore
from labserver.incident.service.stores.ttl_lazy import TtlLazyJobStore
from labserver.incident.service.stores.weak import WeakJobStore

if TYPE_CHECKING:
    from labserver.incident.service.settings import Settings

__all__ = [
    "STORES",
    "ByteBudgetJobStore",
    "DiskJobStore",
    "EvictOnFetchJobStore",
    "JobStore",
    "LeakyJobStore",
    "LruCountJobStore",
    "RedisJobStore",
    "SchedulerJobStore",
    "SoftJobStore",
    "StoreFactory",
    "StoreFull",
    "StoreUnavailable",
    "TimerJobStore",
    "TtlJobStore",
    "TtlLazyJobStore",
    "WeakJobStore",
    "create_store",
]


class JobStore(Protocol):
    """What the service needs of a store; every method may be called from any thread.

    A job's states come in order, and its final state comes once. Any method but `start` and `close` may raise
    `StoreUnavailable` where the store is outside this process.
    """

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state in place of the one before.

        Raises:
            StoreFull: The job is new, and the policy has no room for it.
        """
        ...

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it is not kept any more."""
        ...

    def take(self, job_id: str) -> JobResult | None:
        """Return the same to a client who asked for the image: where there is one, it counts as read."""
        ...

    def __len__(self) -> int:
        """Return how many jobs are kept, whether or not `get` would still return them."""
        ...

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are kept in each state, zeros included."""
        ...

    def kept_bytes(self) -> int:
        """Return the bytes of all images that are kept."""
        ...

    def oldest(self) -> float | None:
        """Return when (Unix time, s) the oldest of the finished jobs kept had finished, None without one."""
        ...

    def sweep(self) -> int:
        """Let go what the policy's own periodic work would let go by now, and return how many jobs that were."""
        ...

    def start(self) -> None:
        """Start what the policy does by itself, if anything; jobs are put after that."""
        ...

    def close(self) -> None:
        """Stop that and keep nothing."""
        ...


StoreFactory = Callable[["Settings", Clock], JobStore]

STORES: dict[str, StoreFactory] = {
    "leaky": LeakyJobStore,
    "ttl": TtlJobStore,
    "ttl-lazy": TtlLazyJobStore,
    "timer": TimerJobStore,
    "scheduler": SchedulerJobStore,
    "weak": WeakJobStore,
    "soft": SoftJobStore,
    "evict-on-fetch": EvictOnFetchJobStore,
    "lru-count": LruCountJobStore,
    "byte-budget": ByteBudgetJobStore,
    "disk": DiskJobStore,
    "redis": RedisJobStore,
}


def create_store(settings: "Settings", clock: Clock) -> JobStore:
    """Return a new, empty store of the policy that the settings name.

    Raises:
        CannotRun: The policy needs a package or a program that is not installed.
        UsageError: The policy does not work with the other settings.
    """
    return STORES[settings.store](settings, clock)
