"""When a client asks next: how it spaces the polls of a job, by name.

Sources: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (2015), for full and decorrelated jitter;
RFC 9110, 10.2.3, for Retry-After.
"""

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from labserver.errors import UsageError
from labserver.names import closest

Spacing = Callable[["Polling", random.Random], Iterator[float]]


@dataclass(frozen=True, slots=True)
class Polling:
    """How a client polls.

    Attributes:
        policy: one of `POLICIES`, or `retry-after`.
        interval_s: between two polls; where the waits grow, the first and least of them.
        most_s: the longest wait that a client chooses by itself; ten intervals without it.
        max_polls: polls after which it gives the job up.

    Raises:
        UsageError: one of these makes no sense.
    """

    policy: str = "fixed"
    interval_s: float = 3.0
    most_s: float | None = None
    max_polls: int = 40

    def __post_init__(self) -> None:
        if self.policy not in NAMES:
            meant = closest(self.policy, NAMES)
            raise UsageError(
                f"{self.policy!r} is no way to poll; did you mean {meant!r}? Known are {', '.join(NAMES)}."
            )
        if not 0 <= self.interval_s < math.inf:
            raise UsageError(f"poll_interval_s is {self.interval_s}: it must be 0 or more seconds.")
        if self.most_s is not None and not self.interval_s <= self.most_s < math.inf:
            raise UsageError(f"max_poll_interval_s is {self.most_s}: it must be at least poll_interval_s.")
        if self.max_polls < 1:
            raise UsageError(f"max_polls is {self.max_polls}: it must be at least 1.")

    @property
    def ceiling_s(self) -> float:
        """The longest wait of the client's own choosing."""
        return 10 * self.interval_s if self.most_s is None else self.most_s

    def pace(self, rng: random.Random) -> "Pace":
        """The waits of one job."""
        return Pace(self, rng)


class Pace:
    """The waits before the polls of one job."""

    def __init__(self, polling: Polling, rng: random.Random) -> None:
        self._polling, self._rng = polling, rng
        self._spacing = POLICIES.get(polling.policy, _fixed)(polling, rng)

    def wait_s(self, advice_s: float | None = None) -> float:
        """Seconds to rest before the next poll.

        Args:
            advice_s: what the last answer's Retry-After said; only the policy of that name listens.
        """
        if self._polling.policy == _LISTENING and advice_s is not None:
            # All clients of one moment are told the same: without a random part they would come back together.
            wait_s = advice_s + self._rng.uniform(0, self._polling.interval_s)
        else:
            wait_s = next(self._spacing)
        return min(wait_s, threading.TIMEOUT_MAX)  # a server may say any number; longer than that nobody can wait


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What an answer's Retry-After says, seconds from now; None where it says nothing that can be read."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def _fixed(polling: Polling, _rng: random.Random) -> Iterator[float]:
    while True:
        yield polling.interval_s


def _exponential(polling: Polling, _rng: random.Random) -> Iterator[float]:
    wait = polling.interval_s
    while True:
        yield min(wait, polling.ceiling_s)
        wait = min(2 * wait, polling.ceiling_s)


def _full_jitter(polling: Polling, rng: random.Random) -> Iterator[float]:
    for longest in _exponential(polling, rng):
        yield rng.uniform(0, longest)


def _decorrelated(polling: Polling, rng: random.Random) -> Iterator[float]:
    wait = polling.interval_s
    while True:
        wait = min(rng.uniform(polling.interval_s, 3 * wait), polling.ceiling_s)
        yield wait


POLICIES: dict[str, Spacing] = {
    "fixed": _fixed,
    "exponential": _exponential,
    "full-jitter": _full_jitter,
    "decorrelated": _decorrelated,
}
"""How the waits are chosen where the server is not listened to."""

_LISTENING = "retry-after"
NAMES = (*POLICIES, _LISTENING)
