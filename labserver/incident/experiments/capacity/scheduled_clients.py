"""Clients that come at given instants, whatever the service does, and come back later for their pictures.

Threads of this process with a connection each: a job is an upload and polls until it has ended, and the picture stays
where it is until `fetch` asks for it. Nothing is retried: what a first attempt meets is what is counted.
"""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from labserver.incident.experiments.measured import Measured
from labserver.load.image_journey import Upload

DONE, REFUSED, NO_ANSWER = "done", "refused", "no answer"
_POLL_S = 0.03
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Attempt(Measured):
    """One client's job.

    Attributes:
        t_s: seconds since the arrivals began, when it ended.
        outcome: `done`; `refused`, which is a 503 with Retry-After; anything else is a failure, in words.
        job_id: empty where none was given out.
        late_s: seconds by which the client came later than it was due.
    """

    t_s: float
    outcome: str
    job_id: str
    late_s: float

    @property
    def failed(self) -> bool:
        """Whether the service did neither of the two things that it may do: the job, or refuse it properly."""
        return self.outcome not in (DONE, REFUSED)


class ScheduledClients:
    """Clients at work; made by `scheduled_clients`.

    Attributes:
        attempts: what has ended so far, in that order.
        began: the instant of `time.monotonic` at which the arrivals began.
    """

    def __init__(self, port: int, uploads: Sequence[Upload], due: Callable[[int], float], jobs: int | None) -> None:
        self._port = port
        self._uploads = uploads
        self._due = due
        self._stopping = threading.Event()
        self._turns = itertools.count() if jobs is None else iter(range(jobs))
        self._threads: list[threading.Thread] = []
        self.attempts: list[Attempt] = []
        self.began = time.monotonic()

    def start(self, clients: int) -> None:
        """Let the clients come."""
        for number in range(clients):
            thread = threading.Thread(target=self._work, name=f"client-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def wait(self) -> None:
        """Return when as many jobs as were asked for have ended."""
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Let no more come, give up those under way, and return when all threads have ended."""
        self._stopping.set()
        self.wait()

    def _work(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)) as connection:
            for turn in self._turns:
                due = self.began + self._due(turn)
                if self._stopping.wait(max(0.0, due - time.monotonic())):
                    return
                late_s = time.monotonic() - due
                outcome, job_id = self._attempt(connection, self._uploads[turn % len(self._uploads)])
                if outcome:
                    self.attempts.append(Attempt(time.monotonic() - self.began, outcome, job_id, late_s))

    def _attempt(self, connection: http.client.HTTPConnection, upload: Upload) -> tuple[str, str]:
        """How the job ended, in a word or two, and its id; nothing where it was given up."""
        job_id = ""
        try:
            status, retry_after, body = _ask(connection, "POST", "/api/images/analyze", upload)
            if status == http.client.SERVICE_UNAVAILABLE and retry_after:
                return REFUSED, ""
            if status != http.client.ACCEPTED:
                return f"HTTP {status}", ""
            job_id = json.loads(body)["jobId"]
            return self._poll(connection, job_id), job_id
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
            return NO_ANSWER, job_id

    def _poll(self, connection: http.client.HTTPConnection, job_id: str) -> str:
        while not self._stopping.wait(_POLL_S):
            status, _, body = _ask(connection, "GET", f"/api/images/status/{job_id}")
            if status != http.client.OK:
                return f"HTTP {status}"
            answer = json.loads(body)
            if answer["status"] == "FAILED":
                return f"job FAILED: {answer['error']}"
            if answer["status"] == "DONE":
                return DONE
        return ""


@contextmanager
def scheduled_clients(
    port: int, uploads: Sequence[Upload], due: Callable[[int], float], *, jobs: int | None = None, clients: int = 12
) -> Iterator[ScheduledClients]:
    """Clients for the length of a `with` block.

    Args:
        port: of the service, on this machine.
        uploads: the bodies to send, in turn.
        due: seconds after the beginning at which the n-th client comes, n from 0; one that is late comes at once.
        jobs: how many come; without end, if left out.
        clients: how many can be served at a time; each keeps a connection.
    """
    scheduled = ScheduledClients(port, uploads, due, jobs)
    try:
        scheduled.start(clients)
        yield scheduled
    finally:
        scheduled.stop()


def fetch(port: int, job_id: str) -> str:
    """Fetch a picture: `done` where it is there and whole, else what came in its place."""
    outcome, body = _ask_once(port, f"/api/images/result/{job_id}")
    whole = body.startswith(b"\x89PNG") and body.endswith(b"IEND\xaeB`\x82")
    return DONE if outcome == "HTTP 200" and whole else outcome


def health(port: int) -> str:
    """What `/health` says: `HTTP 200`, or why not."""
    return _ask_once(port, "/health")[0]


def _ask_once(port: int, path: str) -> tuple[str, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)) as connection:
        try:
            status, _, body = _ask(connection, "GET", path)
        except (OSError, http.client.HTTPException):
            return NO_ANSWER, b""
        return f"HTTP {status}", body


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, upload: Upload | None = None
) -> tuple[int, str, bytes]:
    headers = {} if upload is None else {"Content-Type": upload.content_type}
    connection.request(method, path, body=None if upload is None else upload.body, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.headers.get("Retry-After", ""), answer.read()
