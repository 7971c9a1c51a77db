"""A job, as its clients and its store see it."""

import enum
from dataclasses import dataclass


class JobState(enum.StrEnum):
    """Where a job stands, spelt as clients see it."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"

    @property
    def finished(self) -> bool:
        """Whether the state is final."""
        return self in {JobState.DONE, JobState.FAILED}


@dataclass(frozen=True, slots=True, weakref_slot=True)
class JobResult:
    """What is known of a job at one of its states.

    Attributes:
        state: Where the job stands.
        image: The composed PNG of a job that is done.
        error: Why a failed job failed, in words for the client.
        created_at: Unix time in seconds at which the job came into this state; for a finished job, its completion.
    """

    state: JobState
    image: bytes | None
    error: str | None
    created_at: float
