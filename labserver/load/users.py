"""Virtual users in a process of their own: what they keep must not show up in the heap they help to measure."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labserver.errors import CannotRun, UsageError
from labserver.extras import require
from labserver.load.outputs import parse_output
from labserver.load.polling import Polling
from labserver.load.progress import Progress
from labserver.load.summary import Summary
from labserver.load.thresholds import parse_threshold
from labserver.processes.helper import Helper

START_S = 60.0
SILENCE_S = 60.0  # the worker reports twice a second; only a stopped machine or process is silent for so long
QUIT_S = 2.0


class VirtualUsers:
    """A worker process with its users; made by `virtual_users`.

    Attributes:
        pid: the worker's process id.
    """

    def __init__(self, config: dict[str, Any], on_progress: Callable[[Progress], None] | None) -> None:
        self._on_progress = on_progress
        self._running = False
        self._worker = Helper("labserver.load.worker", what="The load generator")
        self.pid = self._worker.pid
        try:
            self._worker.send(config)
            self._event(START_S)
        except BaseException:
            self.close()
            raise

    def run(
        self, *, iterations: int | None = None, duration_s: float | None = None, graceful_stop_s: float = 30.0
    ) -> Summary:
        """Let the users work, and wait until they have finished; may be called again.

        Args:
            iterations: how many to share among the users.
            duration_s: seconds in which iterations may begin.
            graceful_stop_s: seconds in which those under way may finish after that; then they are cut off.

        Raises:
            UsageError: not exactly one of `iterations` and `duration_s`, or a value that makes no sense.
            CannotRun: the worker process died or fell silent.
        """
        _check_run(iterations, duration_s, graceful_stop_s)
        if self._running:
            self.interrupt()
        command = {"iterations": iterations, "duration_s": duration_s, "graceful_stop_s": graceful_stop_s}
        self._running = True
        self._worker.send({"command": "run", **command})
        return self._summary(self._on_progress)

    def interrupt(self) -> Summary | None:
        """Cut short a run that an exception (such as Ctrl-C) broke off, and give its summary; None without one.

        Raises:
            CannotRun: the worker process died or fell silent.
        """
        if not self._running:
            return None
        self._worker.send({"command": "stop"})
        return self._summary(None)

    def stop(self) -> None:
        """Cut short the run under way in another thread, where `run` then gives its summary.

        Raises:
            CannotRun: the worker process died.
        """
        self._worker.send({"command": "stop"})

    def close(self) -> None:
        """Stop the process, reap it and close its pipes; may be called again."""
        # Without a quit, the end of its input ends the worker at once, whatever its users are doing.
        if not self._running:
            with suppress(CannotRun, ValueError):  # it has died, or was closed before
                self._worker.send({"command": "quit"})
        self._worker.close(QUIT_S)

    def _summary(self, on_progress: Callable[[Progress], None] | None) -> Summary:
        while True:
            event = self._event(SILENCE_S)
            if event["event"] == "summary":
                self._running = False
                return Summary.from_dict(event["summary"])
            if event["event"] == "progress" and on_progress is not None:
                on_progress(Progress(**event["progress"]))

    def _event(self, timeout_s: float) -> dict[str, Any]:
        """The worker's next event.

        Raises:
            UsageError: the event says that an argument is wrong.
            CannotRun: there is none, or it says that the work cannot be done.
        """
        event: dict[str, Any] = self._worker.receive(timeout_s)
        if event["event"] == "error":
            self._running = False
            raise (UsageError if event["usage"] else CannotRun)(event["message"])
        return event


@contextmanager
def virtual_users(  # noqa: PLR0913 - each is a figure of the load, all but two by keyword
    base_url: str,
    users: int = 5,
    *,
    poll_interval_s: float = 3.0,
    max_polls: int = 40,
    poll_policy: str = "fixed",
    max_poll_interval_s: float | None = None,
    timeout_s: float = 10.0,
    seed: int = 0,
    photos: Path | str | None = None,
    journey: str | None = None,
    requests: Sequence[str] = (),
    outputs: Sequence[str] = (),
    thresholds: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> Iterator[VirtualUsers]:
    """Virtual users for the length of a `with` block; their process, sessions and photographs stay from run to run.

    Args:
        base_url: the server, `http://…` or `https://…`.
        users: how many, each with a session (and so a connection) of its own.
        poll_interval_s: seconds a user rests before each poll.
        max_polls: polls after which a user gives a job up.
        poll_policy: how it spaces them, see `labserver.load.polling`.
        max_poll_interval_s: its longest wait where the waits grow; ten intervals without it.
        timeout_s: seconds that a request may take.
        seed: what the photographs' variation is drawn from.
        photos: a folder with other photographs than the shipped ones.
        journey: `module:callable` to drive in place of the image journey, called as `callable(session, base_url)`;
            imported in the worker, from the working directory.
        requests: `"METHOD /path"` each, one after another as one job, in place of a journey; see `parse_requests`.
        outputs: `json=FILE` or `csv=FILE` each, written as the samples come; see `labserver.load.outputs`.
        thresholds: what each run's summary is held against; see `labserver.load.thresholds`.
        on_progress: called about twice a second while a run is under way.

    Yields:
        The users, to be run.

    Raises:
        UsageError: an argument is wrong.
        CannotRun: the worker process could not be started, or the image journey lacks its package.
    """
    config = {
        "base_url": _checked_url(base_url),
        "users": users,
        "poll_interval_s": poll_interval_s,
        "max_polls": max_polls,
        "poll_policy": poll_policy,
        "max_poll_interval_s": max_poll_interval_s,
        "timeout_s": timeout_s,
        "seed": seed,
        "photos": None if photos is None else str(photos),
        "journey": journey,
        "requests": list(requests),
        "outputs": list(outputs),
        "thresholds": list(thresholds),
    }
    _check_config(config)
    crowd = VirtualUsers(config, on_progress)
    try:
        yield crowd
    finally:
        crowd.close()


def _checked_url(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{base_url!r} is no address of a server: give it as http://host:port.")
    return base_url.rstrip("/")


def _check_config(config: dict[str, Any]) -> None:
    if config["journey"] is not None and config["requests"]:
        raise UsageError("Give a journey or requests, not both.")
    if config["journey"] is None and not config["requests"]:
        require("PIL", by="The image journey")
    if config["users"] < 1:
        raise UsageError(f"users is {config['users']}: it must be at least 1.")
    # Each checks itself: what is wrong is said before the worker starts.
    Polling(config["poll_policy"], config["poll_interval_s"], config["max_poll_interval_s"], config["max_polls"])
    for text in config["thresholds"]:
        parse_threshold(text)
    for text in config["outputs"]:
        parse_output(text)
    if not 0 < config["timeout_s"] < math.inf:
        raise UsageError(f"timeout_s is {config['timeout_s']}: it must be more than 0 seconds.")


def _check_run(iterations: int | None, duration_s: float | None, graceful_stop_s: float) -> None:
    if (iterations is None) == (duration_s is None):
        raise UsageError("A run needs either iterations or duration_s, and not both.")
    if iterations is not None and iterations < 1:
        raise UsageError(f"iterations is {iterations}: it must be at least 1.")
    if duration_s is not None and not 0 < duration_s < math.inf:
        raise UsageError(f"duration_s is {duration_s}: it must be more than 0 seconds.")
    if not 0 <= graceful_stop_s < math.inf:
        raise UsageError(f"graceful_stop_s is {graceful_stop_s}: it must be 0 or more seconds.")
