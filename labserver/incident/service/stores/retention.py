"""What is asked of a retention policy."""

import math
from dataclasses import dataclass

from labserver.incident.service.ranges import check_numbers

_SECONDS = {
    "ttl_s": (0.001, math.inf),
    "sweep_s": (0.001, math.inf),
    "retry_after_s": (0.0, math.inf),
    "soft_s_per_mib": (0.0, math.inf),
}
_COUNTS = {
    "result_px": (16, 4096),
    "budget_bytes": (1, 2**50),
    "max_jobs": (1, 10**9),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The figures that the policies read, each its own; the defaults are the incident's.

    Attributes:
        store: Name of the retention policy, one of `labserver.incident.service.stores.STORES`.
        ttl_s: Age, counted from completion, at which a policy with a time to live may drop a result.
        sweep_s: Period between two sweeps of such a policy.
        retry_after_s: When a client is told to come back.
        result_px: Side of the square result.
        budget_bytes: Bytes of images that a policy with such a bound keeps: byte-budget, disk, redis and soft.
        max_jobs: Finished jobs that lru-count keeps.
        soft_s_per_mib: How long soft keeps an idle result for each MiB of its budget that is free.

    Raises:
        UsageError: A figure is not allowed.
    """

    store: str = "leaky"
    ttl_s: float = 600.0
    sweep_s: float = 60.0
    retry_after_s: float = 1.0
    result_px: int = 384
    budget_bytes: int = 256 * 2**20
    max_jobs: int = 1000
    soft_s_per_mib: float = 1.0

    def __post_init__(self) -> None:
        check_numbers(self, seconds=_SECONDS, counts=_COUNTS)
