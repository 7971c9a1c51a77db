"""What can be set about the service, checked before anything starts."""

import difflib
import math
from dataclasses import dataclass
from typing import Any

from labserver.errors import UsageError
from labserver.incident.service.face_client import face_api_address
from labserver.incident.service.stores import STORES

# Lowest and highest value allowed, in the unit that the field's name ends in.
_SECONDS = {
    "ttl_s": (0.001, math.inf),
    "sweep_s": (0.001, math.inf),
    "service_time_s": (0.0, 86_400.0),
    "retry_after_s": (0.0, math.inf),
    "soft_s_per_mib": (0.0, math.inf),
    "face_timeout_s": (0.001, 86_400.0),
}
_COUNTS = {
    "workers": (1, 256),
    "queue_size": (1, 1_000_000),
    "result_px": (16, 4096),
    "max_upload_bytes": (1, 2**30),
    "max_pixels": (1, 2**30),
    "budget_bytes": (1, 2**50),
    "max_jobs": (1, 10**9),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The service's settings; the defaults are the incident's own figures with the model's wait left out.

    Attributes:
        store: Name of the retention policy, one of `labserver.incident.service.stores.STORES`.
        ttl_s: Age, counted from completion, at which a policy with a time to live may drop a result.
        sweep_s: Period between two sweeps of such a policy.
        service_time_s: Wait per job that stands in for the model's processing time.
        workers: Jobs that run at the same time.
        queue_size: Jobs that may wait for a worker.
        result_px: Side of the square result.
        max_upload_bytes: Largest request body.
        max_pixels: Largest photograph, width times height.
        retry_after_s: When a client is told to come back.
        budget_bytes: Bytes of images that a policy with such a bound keeps: byte-budget, disk, redis and soft.
        max_jobs: Finished jobs that lru-count keeps.
        face_api: URL of the AI service that composes the faces; empty: they are composed in this process.
        face_timeout_s: How long a call to it may take in all.
        public_diagnostics: Whether `/actuator` and `/metrics` answer requests from other machines, too.
        soft_s_per_mib: How long soft keeps an idle result for each MiB of its budget that is free.

    Raises:
        UsageError: A field has a value that is not allowed.
    """

    store: str = "leaky"
    ttl_s: float = 600.0
    sweep_s: float = 60.0
    service_time_s: float = 0.0
    workers: int = 4
    queue_size: int = 64
    result_px: int = 384
    max_upload_bytes: int = 8 * 2**20
    max_pixels: int = 40_000_000
    retry_after_s: float = 1.0
    budget_bytes: int = 256 * 2**20
    max_jobs: int = 1000
    soft_s_per_mib: float = 1.0
    public_diagnostics: bool = False
    face_api: str = ""
    face_timeout_s: float = 60.0

    def __post_init__(self) -> None:
        _check_store(self.store)
        if self.face_api:
            face_api_address(self.face_api)
        if not isinstance(self.public_diagnostics, bool):
            raise UsageError(f"public_diagnostics={self.public_diagnostics!r} must be True or False.")
        for name, (low, high) in _SECONDS.items():
            check_number(name, getattr(self, name), low, high, whole=False)
        for name, (least, most) in _COUNTS.items():
            check_number(name, getattr(self, name), least, most, whole=True)


def _check_store(name: Any) -> None:
    if isinstance(name, str) and name in STORES:
        return
    nearest = difflib.get_close_matches(str(name), STORES, n=1, cutoff=0)
    raise UsageError(
        f"store={name!r} is not a known store; did you mean {nearest[0]!r}? Known are {', '.join(sorted(STORES))}."
    )


def check_number(name: str, value: Any, low: float, high: float, *, whole: bool) -> None:
    """Make sure that a setting is a number in its range.

    Raises:
        UsageError: It is not; `whole` asks for an int.
    """
    kinds = (int,) if whole else (int, float)
    # bool is an int to Python, but `workers=True` is a slip.
    if isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high and math.isfinite(value):
        return
    kind = "a whole number" if whole else "a finite number of seconds"
    bounds = f"of at least {low}" if math.isinf(high) else f"from {low} to {high}"
    raise UsageError(f"{name}={value!r} is not allowed: it must be {kind} {bounds}.")
