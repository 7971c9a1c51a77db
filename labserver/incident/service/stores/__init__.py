"""Where jobs are kept: one retention policy a file, found by name.

The policies differ in nothing but what they let go and when, so that a comparison of two services
is a comparison of their stores. What each promises and does not stands in its module.
"""

from collections.abc import Callable

from labserver.incident.service.clock import Clock
from labserver.incident.service.stores.byte_budget import ByteBudgetJobStore
from labserver.incident.service.stores.disk import DiskJobStore
from labserver.incident.service.stores.evict_on_fetch import EvictOnFetchJobStore
from labserver.incident.service.stores.leaky import LeakyJobStore
from labserver.incident.service.stores.lru_count import LruCountJobStore
from labserver.incident.service.stores.redis import RedisJobStore
from labserver.incident.service.stores.retention import Retention
from labserver.incident.service.stores.scheduler import SchedulerJobStore
from labserver.incident.service.stores.soft import SoftJobStore
from labserver.incident.service.stores.store import JobStore, StoreFull, StoreUnavailable
from labserver.incident.service.stores.timer import TimerJobStore
from labserver.incident.service.stores.ttl import TtlJobStore
from labserver.incident.service.stores.ttl_lazy import TtlLazyJobStore
from labserver.incident.service.stores.weak import WeakJobStore

__all__ = [
    "STORES",
    "ByteBudgetJobStore",
    "DiskJobStore",
    "EvictOnFetchJobStore",
    "JobStore",
    "LeakyJobStore",
    "LruCountJobStore",
    "RedisJobStore",
    "Retention",
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


StoreFactory = Callable[[Retention, Clock], JobStore]

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


def create_store(retention: Retention, clock: Clock) -> JobStore:
    """Return a new, empty store of the policy that is named.

    Raises:
        CannotRun: The policy needs a package or a program that is not installed.
        UsageError: The policy does not work with the other figures.
    """
    return STORES[retention.store](retention, clock)
