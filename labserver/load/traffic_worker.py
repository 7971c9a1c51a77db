"""The process in which traffic is made; started and spoken to in JSON lines by `labserver.load.traffic`."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import requests

from labserver.load.http import INTERRUPTED, TIMED_OUT, RequestRecord, timed_session
from labserver.load.image_journey import ImageJourney, Upload, encode_upload
from labserver.load.journey import CutShortError, Journey, Outcome
from labserver.load.photos import PhotoPool
from labserver.load.polling import Polling
from labserver.load.samples import Samples
from labserver.load.synchronous import ComposeJourney
from labserver.load.worker import Commands
from labserver.processes.lifeline import Lifeline

_TICK_S = 0.05


class _User:
    """One user and the first answer of the iteration that it is in."""

    def __init__(self, timeout_s: float) -> None:
        self.session, self.adapter = timed_session(self._record, timeout_s=timeout_s)
        self.session.hooks["response"].append(self._answered)
        self.forget()

    def forget(self) -> None:
        self.status: int | None = None
        self.error: str | None = None
        self.retry_after: str | None = None
        self._asked = False

    def _record(self, record: RequestRecord) -> None:
        if not self._asked:
            self._asked = True
            self.status, self.error = record.status, record.error

    def _answered(self, response: requests.Response, **_: Any) -> None:
        if self._asked and self.retry_after is None and response.status_code == self.status:
            self.retry_after = response.headers.get("Retry-After")


class Run:
    """One run: users that come back, or arrivals that do not, with looks at `/health` beside them.

    Args:
        plan: what `labserver.load.traffic` was asked for.
        uploads: the bodies to send.
    """

    def __init__(self, plan: dict[str, Any], uploads: list[Upload]) -> None:
        self._plan = plan
        self._cut = threading.Event()
        self._lock = threading.Lock()
        self._jobs: list[list[Any]] = []
        self._probes: list[list[Any]] = []
        self._users: list[_User] = []
        self._threads: list[threading.Thread] = []
        self._looks: list[threading.Thread] = []
        self._journey = self._make_journey(uploads)
        address = urlsplit(plan["base_url"])
        self._host, self._port = address.hostname or "", address.port or 80
        self._began = time.monotonic()

    def record(self) -> dict[str, Any]:
        """Make the traffic, and tell how it went."""
        looking = self._start(self._look_on, into=[])
        self._arrive() if self._plan["rate"] else self._come_and_go()
        self._finish(self._plan["duration_s"] + self._plan["finish_s"])
        self._cut.set()
        for thread in [looking, *self._looks]:
            thread.join()
        return {
            "began": self._began,
            "duration_s": self._plan["duration_s"],
            "jobs": self._jobs,
            "probes": self._probes,
        }

    def _make_journey(self, uploads: list[Upload]) -> Journey:
        samples = Samples()
        if self._plan["journey"] == "compose":
            return ComposeJourney(uploads, samples, self._cut)
        polling = Polling(interval_s=self._plan["poll_interval_s"], max_polls=sys.maxsize)
        return ImageJourney(uploads, samples, self._cut, polling=polling)

    def _come_and_go(self) -> None:
        """Let each user begin in its turn, so that they do not march in step, and wait for the end."""
        users = self._plan["users"]
        for number in range(users):
            user = self._new_user()
            self._start(self._iterate, user, number * self._plan["ramp_s"] / users)
        self._finish(self._plan["duration_s"], end=False)

    def _iterate(self, user: _User, begin_s: float) -> None:
        self._wait_until(begin_s)
        while self._elapsed() < self._plan["duration_s"]:
            pause_s = self._job(user)
            if self._cut.wait(pause_s):
                break
        user.session.close()

    def _arrive(self) -> None:
        """Let jobs begin at even intervals, whatever has become of those before."""
        number = 0
        while (at := number / self._plan["rate"]) < self._plan["duration_s"]:
            self._wait_until(at)
            user = self._new_user()
            self._start(self._come_once, user)
            number += 1
        self._wait_until(self._plan["duration_s"])

    def _come_once(self, user: _User) -> None:
        self._job(user)
        user.session.close()

    def _job(self, user: _User) -> float:
        """Run one job, note it down, and return how long its user rests."""
        user.forget()
        start = self._elapsed()
        outcome: object = None
        seconds = None
        with suppress(CutShortError):
            outcome = self._journey(user.session, self._plan["base_url"])
            seconds = self._elapsed() - start
        done = outcome if isinstance(outcome, Outcome) else Outcome(ok=False)
        with self._lock:
            self._jobs.append([start, seconds, done.ok, user.status, user.error, user.retry_after])
        return done.pause_s

    def _look_on(self) -> None:
        """Look at `/health` at even intervals; a slow answer does not put off the next look."""
        interval_s, number = self._plan["probe_interval_s"], 0
        while interval_s and (at := number * interval_s) < self._plan["duration_s"]:
            self._wait_until(at)
            self._start(self._look, into=self._looks)
            number += 1

    def _look(self) -> None:
        start, seconds = self._elapsed(), None
        connection = HTTPConnection(self._host, self._port, timeout=self._plan["probe_timeout_s"])
        with suppress(OSError, HTTPException):
            connection.request("GET", "/health", headers={"Connection": "close"})
            if connection.getresponse().read():
                seconds = self._elapsed() - start
        connection.close()
        with self._lock:
            self._probes.append([start, seconds])

    def _finish(self, until_s: float, *, end: bool = True) -> None:
        """Wait for the jobs until then; cut off those that are still under way."""
        while self._elapsed() < until_s and any(thread.is_alive() for thread in self._threads):
            self._cut.wait(_TICK_S)
            for user in self._users:
                user.adapter.abort(TIMED_OUT, older_than_s=self._plan["timeout_s"])
        if end:
            self._cut.set()
        while end and any(thread.is_alive() for thread in self._threads):
            for user in self._users:
                user.adapter.abort(INTERRUPTED)
            time.sleep(_TICK_S / 5)

    def _new_user(self) -> _User:
        user = _User(self._plan["timeout_s"])
        self._users.append(user)
        return user

    def _start(
        self, work: Callable[..., None], *arguments: Any, into: list[threading.Thread] | None = None
    ) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        (self._threads if into is None else into).append(thread)
        thread.start()
        return thread

    def _wait_until(self, at_s: float) -> None:
        self._cut.wait(max(at_s - self._elapsed(), 0.0))

    def _elapsed(self) -> float:
        return time.monotonic() - self._began


def main() -> None:
    """Make traffic as often as told, until told to quit; end at once when the parent is gone."""
    commands = Commands(Lifeline())
    uploads: list[Upload] = []
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)
        while (command := commands.next() or {}).get("command") != "quit":
            if not uploads:
                uploads = [encode_upload(pair) for pair in PhotoPool(command["seed"], variants=4).pairs]
            output.write(json.dumps(Run(command, uploads).record()).encode() + b"\n")
            output.flush()
