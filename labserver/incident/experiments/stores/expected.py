"""What each policy is expected to do with the script, by what its module promises: the claims of the comparison."""

from dataclasses import dataclass

KEEPS_NOTHING, KEEPS_SOMETHING = "nothing", "something"


@dataclass(frozen=True, slots=True)
class Expected:
    """One policy's row.

    Attributes:
        late: what clients are told at the end of the time to live less a moment, a moment after it, and after a sweep.
        second_fetch: what the second fetch of a result is told.
        long_result: what the client of a job is told that ran longer than its time to live.
        after_drain: whether images are kept when all is older than the time to live and two sweeps.
        goes_in_time: whether results nobody fetched go by themselves, in real time.
        loses_unread: whether a burst beyond its bound costs results that were still to be read.
        refuses: whether it refuses new work instead.
    """

    late: str
    second_fetch: str = "200"
    long_result: str = "200"
    after_drain: str = KEEPS_NOTHING
    goes_in_time: bool = True
    loses_unread: bool = False
    refuses: bool = False


EXPECTED = {
    "leaky": Expected("200/200/200", after_drain=KEEPS_SOMETHING, goes_in_time=False),
    "ttl": Expected("200/200/410"),
    "ttl-lazy": Expected("200/410/410", after_drain=KEEPS_SOMETHING, goes_in_time=False),
    "timer": Expected("200/410/410"),
    "scheduler": Expected("200/410/410"),
    "weak": Expected("410/410/410", second_fetch="410", long_result="410", loses_unread=True),
    "soft": Expected("200/200/200", after_drain=KEEPS_SOMETHING, goes_in_time=False, loses_unread=True),
    "evict-on-fetch": Expected("200/200/200", second_fetch="410", after_drain=KEEPS_SOMETHING, goes_in_time=False),
    "lru-count": Expected("200/200/200", after_drain=KEEPS_SOMETHING, goes_in_time=False, loses_unread=True),
    "byte-budget": Expected("200/410/410", refuses=True),
    "disk": Expected("200/410/410", loses_unread=True),
    "redis": Expected("200/410/410", loses_unread=True),
}

BOUNDED_IN_BYTES = {"soft", "byte-budget", "disk", "redis"}
ELSEWHERE = {"disk": "in files", "redis": "in the Redis server"}
