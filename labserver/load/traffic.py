"""Traffic whose every job is told of: users that come back, or arrivals that do not wait for one another.

A closed loop of users slows down with the server that it loads; open arrivals do not, which is how a queue grows.
Source: Schroeder, Wierman, Harchol-Balter: Open Versus Closed: A Cautionary Tale, NSDI 2006.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from labserver.errors import CannotRun, UsageError
from labserver.load.course import Course

JOURNEYS = ("compose", "analyze")
_MOST_ARRIVALS = 5000  # each has a thread of its own while it waits
_GRACE_S = 60.0
_QUIT_S = 2.0
_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from labserver.load.traffic_worker import main; main()"
_PACKAGES = Path(__file__).parents[2]


class Traffic:
    """A process that makes traffic; made by `traffic`.

    Attributes:
        pid: its process id.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process that writes to it
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter and a module of this package
            # Not `-m`: modules of the working directory must not stand in for those that the worker needs.
            [sys.executable, "-P", "-c", _BOOT, str(_PACKAGES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C on the terminal is the parent's to handle
        )
        self.pid = self._process.pid

    def closed(self, base_url: str, *, users: int, duration_s: float, ramp_s: float = 0.0, **options: Any) -> Course:
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

    def open(self, base_url: str, *, rate: float, duration_s: float, **options: Any) -> Course:
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
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()  # which ends the process at once
        try:
            self._process.wait(_QUIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._errors.close()

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
    ) -> Course:
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
        return Course.from_dict(self._ask(plan, duration_s + finish_s + timeout_s + probe_timeout_s + _GRACE_S))

    def _ask(self, plan: dict[str, Any], within_s: float) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - both are pipes
        assert stdout is not None  # noqa: S101
        with suppress(OSError):  # a dead process gives no line, below
            stdin.write(json.dumps(plan).encode() + b"\n")
            stdin.flush()
        deadline = time.monotonic() + within_s
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([stdout], [], [], max(deadline - time.monotonic(), 0.0))[0]:
                raise CannotRun(f"The process that makes the traffic has been silent for {within_s:.0f} s.")
            block = os.read(stdout.fileno(), 2**20)
            if not block:
                raise CannotRun(f"The process that makes the traffic died{self._last_words()}.")
            line += block
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"; its last output: {said[-1]}" if said else ""


@contextmanager
def traffic(seed: int = 0) -> Iterator[Traffic]:
    """Have a process that makes traffic for the length of a `with` block.

    Args:
        seed: what the photographs' variation is drawn from.

    Raises:
        CannotRun: the process could not be started.
    """
    try:
        process = Traffic(seed)
    except OSError as error:
        raise CannotRun(f"The process that makes the traffic could not be started ({error}).") from error
    try:
        yield process
    finally:
        process.close()
