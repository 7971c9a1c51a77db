"""What each retention policy promises to do with the script: the claims of the comparison."""

from dataclasses import dataclass

from labserver.incident.experiments.measured import Measured


@dataclass(frozen=True, slots=True)
class Promise(Measured):
    """One policy's row.

    Attributes:
        late: what clients are told at the end of the time to live less a moment, a moment after it, and after a sweep.
        second_fetch: what the second fetch of a result is told.
        long_result: what the client of a job is told that ran longer than its time to live.
        gives_back: whether no image is kept when all is older than the time to live and two sweeps.
        goes_in_time: whether results nobody fetched go by themselves, in real time.
        loses_unread: whether a burst beyond its bound costs results that were still to be read.
        refuses: whether it refuses new work instead.
    """

    late: str
    second_fetch: str = "200"
    long_result: str = "200"
    gives_back: bool = True
    goes_in_time: bool = True
    loses_unread: bool = False
    refuses: bool = False


PROMISES = {
    "leaky": Promise("200/200/200", gives_back=False, goes_in_time=False),
    "ttl": Promise("200/200/410"),
    "ttl-lazy": Promise("200/410/410", gives_back=False, goes_in_time=False),
    "timer": Promise("200/410/410"),
    "scheduler": Promise("200/410/410"),
    "weak": Promise("410/410/410", second_fetch="410", long_result="410", loses_unread=True),
    "soft": Promise("200/200/200", gives_back=False, goes_in_time=False, loses_unread=True),
    "evict-on-fetch": Promise("200/200/200", second_fetch="410", gives_back=False, goes_in_time=False),
    "lru-count": Promise("200/200/200", gives_back=False, goes_in_time=False, loses_unread=True),
    "byte-budget": Promise("200/410/410", refuses=True),
    "disk": Promise("200/410/410", loses_unread=True),
    "redis": Promise("200/410/410", loses_unread=True),
}

BOUNDED_IN_BYTES = {"soft", "byte-budget", "disk", "redis"}
ELSEWHERE = {"disk": "in files", "redis": "in the Redis server"}
"""Where a store keeps its images, if not in the process's heap."""
