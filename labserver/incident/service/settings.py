"""What can be set about the service, checked before anything starts."""

from dataclasses import dataclass
from typing import Any

from labserver.errors import UsageError
from labserver.incident.service.face_client import face_api_address
from labserver.incident.service.ranges import check_numbers
from labserver.incident.service.stores import STORES, Retention
from labserver.names import closest

_SECONDS = {
    "service_time_s": (0.0, 86_400.0),
    "face_timeout_s": (0.001, 86_400.0),
}
_COUNTS = {
    "workers": (1, 256),
    "queue_size": (1, 1_000_000),
    "max_upload_bytes": (1, 2**30),
    "max_pixels": (1, 2**30),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Retention):
    """The service's settings; the defaults are the incident's own figures with the model's wait left out.

    Attributes:
        service_time_s: Wait per job that stands in for the model's processing time.
        workers: Jobs that run at the same time.
        queue_size: Jobs that may wait for a worker.
        max_upload_bytes: Largest request body.
        max_pixels: Largest photograph, width times height.
        face_api: URL of the AI service that composes the faces; empty: they are composed in this process.
        face_timeout_s: How long a call to it may take in all.
        public_diagnostics: Whether `/actuator` and `/metrics` answer requests from other machines, too.

    Raises:
        UsageError: A field has a value that is not allowed.
    """

    service_time_s: float = 0.0
    workers: int = 4
    queue_size: int = 64
    max_upload_bytes: int = 8 * 2**20
    max_pixels: int = 40_000_000
    public_diagnostics: bool = False
    face_api: str = ""
    face_timeout_s: float = 60.0

    def __post_init__(self) -> None:
        _check_store(self.store)
        if self.face_api:
            face_api_address(self.face_api)
        if not isinstance(self.public_diagnostics, bool):
            raise UsageError(f"public_diagnostics={self.public_diagnostics!r} must be True or False.")
        # Not `super()`: it looks for the class that `slots=True` has replaced (CPython before 3.14, gh-90562).
        Retention.__post_init__(self)
        check_numbers(self, seconds=_SECONDS, counts=_COUNTS)


def _check_store(name: Any) -> None:
    if not isinstance(name, str) or name not in STORES:
        known = ", ".join(sorted(STORES))
        meant = closest(str(name), STORES)
        raise UsageError(f"store={name!r} is not a known store; did you mean {meant!r}? Known are {known}.")
