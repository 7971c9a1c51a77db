"""Traffic whose every job is told of: users that come back, or arrivals that do not wait for one another.

A closed loop of users slows down with the server that it loads; open arrivals do not, which is how a queue grows.
Source: Schroeder, Wierman, Harchol-Balter: Open Versus Closed: A Cautionary Tale, NSDI 2006.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labserver.errors import UsageError
from labserver.extras import require
from labserver.load.traffic_record import TrafficRecord
from labserver.processes.helper import Helper

JOURNEYS = ("compose", "analyze")
_MOST_ARRIVALS = 5000  # each has a thread of its own while it waits
_GRACE_S = 60.0
_QUIT_S = 2.0


class Traffic:
    """A process that makes traffic; made by `traffic`.

    Attributes:
        pid: its process id.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._worker = Helper("labserver.load.traffic_worker", what="The process that makes the traffic")
        self.pid = self._worker.pid

    def closed(
        self, base_url: str, *, users: int, duration_s: float, ramp_s: float = 0.0, **options: Any
    ) -> TrafficRecord:
        """Let so many users work one job after the other.

        Args:
            base_url: the server, without a slash at its end.
            users: how many.
            duration_s: seconds in which jobs may begin.
            ramp_s: the users begin one after the other within these seconds.
            **options: see `open`.

        Raises:
            UsageError: an argument is wrong.
            CannotRun: the process died or fell silent.
        """
        if users < 1:
            raise UsageError(f"users is {users}: it must be at least 1.")
        return self._run(base_url, duration_s, users=users, ramp_s=ramp_s, **options)

    def open(self, base_url: str, *, rate: float, duration_s: float, **options: Any) -> TrafficRecord:
        """Let jobs begin at even intervals, each by a user of its own.

        Args:
            base_url: the server, without a slash at its end.
            rate: jobs a second.
            duration_s: seconds in which jobs begin.
            **options: `journey`, `compose` to wait for the face or `analyze` for a job that is polled; `timeout_s` of
                a request (60); `poll_interval_s` (0.2); `probe_interval_s`, seconds between two looks at `/health`
                (0: none), and `probe_timeout_s` of each (10); `finish_s`, seconds that jobs have after the end before
                they are cut off (0).

        Raises:
            UsageError: an argument is wrong.
            CannotRun: the process died or fell silent.
        """
        if not 0 < rate * duration_s <= _MOST_ARRIVALS:
            raise UsageError(
                f"rate × duration_s is {rate * duration_s:g}: it must be above 0, and {_MOST_ARRIVALS} at most."
            )
        return self._run(base_url, duration_s, rate=rate, **options)

    def close(self) -> None:
        """End the process, whatever it is doing; may be called again."""
        self._worker.close(_QUIT_S)

    def _run(  # noqa: PLR0913 - keyword-only, each a figure of the load
        self,
        base_url: str,
        duration_s: float,
        *,
        users: int = 0,
        rate: float = 0.0,
        ramp_s: float = 0.0,
        journey: str = "compose",
        timeout_s: float = 60.0,
        poll_interval_s: float = 0.2,
        probe_interval_s: float = 0.0,
        probe_timeout_s: float = 10.0,
        finish_s: float = 0.0,
    ) -> TrafficRecord:
        if journey not in JOURNEYS:
            raise UsageError(f"journey is {journey!r}: it must be one of {', '.join(JOURNEYS)}.")
        if not duration_s > 0 or not timeout_s > 0:
            raise UsageError("duration_s and timeout_s must be more than 0 seconds.")
        plan = {
            "command": "run",
            "seed": self._seed,
            "base_url": base_url,
            "duration_s": duration_s,
            "users": users,
            "rate": rate,
            "ramp_s": ramp_s,
            "journey": journey,
            "timeout_s": timeout_s,
            "poll_interval_s": poll_interval_s,
            "probe_interval_s": probe_interval_s,
            "probe_timeout_s": probe_timeout_s,
            "finish_s": finish_s,
        }
        self._worker.send(plan)
        within_s = duration_s + finish_s + timeout_s + probe_timeout_s + _GRACE_S
        return TrafficRecord.from_dict(self._worker.receive(within_s))


@contextmanager
def traffic(seed: int = 0) -> Iterator[Traffic]:
    """Have a process that makes traffic for the length of a `with` block.

    Args:
        seed: what the photographs' variation is drawn from.

    Raises:
        CannotRun: the process could not be started, or Pillow is missing, which makes the photographs.
    """
    require("PIL", by="The traffic of images")
    process = Traffic(seed)
    try:
        yield process
    finally:
        process.close()
