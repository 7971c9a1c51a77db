"""Where jobs are kept: one retention policy a file, found by name.

The policies differ in nothing but what they let go and when, so that a comparison of two services
is a comparison of their stores.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from labserver.service.clock import Clock
from labserver.service.jobs import JobResult, JobState
from labserver.service.stores.leaky import LeakyJobStore
from labserver.service.stores.ttl import TtlJobStore

if TYPE_CHECKING:
    from labserver.service.settings import Settings

__all__ = ["STORES", "JobStore", "LeakyJobStore", "StoreFactory", "TtlJobStore", "create_store"]


class JobStore(Protocol):
    """What the service needs of a store; every method may be called from any thread."""

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state in place of the one before."""
        ...

    def get(self, job_id: str) -> JobResult | None:
        """Return a job's newest state, or None where it is not kept any more."""
        ...

    def __len__(self) -> int:
        """Return how many jobs are kept."""
        ...

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are kept in each state, zeros included."""
        ...

    def kept_bytes(self) -> int:
        """Return the bytes of all images that are kept."""
        ...

    def sweep(self) -> int:
        """Let go what the policy lets go by now, and return how many jobs that were."""
        ...

    def start(self) -> None:
        """Start what the policy does by itself, if anything."""
        ...

    def close(self) -> None:
        """Stop that and keep nothing."""
        ...


StoreFactory = Callable[["Settings", Clock], JobStore]

STORES: dict[str, StoreFactory] = {
    "leaky": LeakyJobStore,
    "ttl": TtlJobStore,
}


def create_store(settings: "Settings", clock: Clock) -> JobStore:
    """Return a new, empty store of the policy that the settings name."""
    return STORES[settings.store](settings, clock)
