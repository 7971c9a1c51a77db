"""What the service needs of a store, and how a store says that it cannot serve."""

from typing import Protocol

from labserver.incident.service.jobs import JobResult, JobState


class StoreUnavailable(Exception):  # noqa: N818 - says what the client is told
    """The store cannot serve now; the text is meant for the client.

    Attributes:
        retry_after_s: When it is worth trying again.
    """

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class StoreFull(StoreUnavailable):
    """The policy takes no new job at the moment; the jobs that it has are safe."""


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
