"""A virtual user without manners: good journeys, and every way to leave one, or to begin it wrongly."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from labserver.incident.service.clock import Clock

from .books import Answer, Submission
from .wire import FORGED, SUBMIT, TICKET, Uploads, digest, get, leave, post

_ANSWER_S = 60.0  # a server that takes longer is taken for one that hangs


@dataclass(frozen=True)
class Scene:
    """What all users share.

    Attributes:
        port: The server's.
        clock: The service's time.
        uploads: What to send.
        tickets: Numbers everybody's submissions.
        patience_s: Longest wait for the end of a job.
    """

    port: int
    clock: Clock
    uploads: Uploads
    tickets: Iterator[int]
    patience_s: float


class User:
    """Visits a server, one act a visit.

    Args:
        scene: Where it is.
        log: Where it notes what it was told.
        rng: What its whims are drawn from.
    """

    def __init__(self, scene, log, rng):
        self._scene = scene
        self._log = log
        self._rng = rng
        self._known = []
        self._http = None

    @contextlib.contextmanager
    def connected(self):
        """Use one connection for all requests of the block."""
        self._http = HTTPConnection("127.0.0.1", self._scene.port, timeout=_ANSWER_S)
        try:
            yield self
        finally:
            self._http.close()

    def visit(self, act):
        """Do one act; an answer that is missed is noted."""
        try:
            with self.connected():
                ACTS[act](self, act)
        except (OSError, HTTPException, ValueError, KeyError) as error:
            self._log.broken.append(f"{act}: {error!r}")

    def stay(self, acts, stop, visits=None):
        """Visit until told to stop, or so many times."""
        while not stop.is_set() and visits != 0:
            self.visit(self._rng.choice(acts))
            visits = None if visits is None else visits - 1

    def ask(self, question, job_id):
        """Return what is said of a job to the question for its `status` or `result`."""
        status, data = self._request("GET", f"/api/images/{question}/{job_id}")
        if status != 200:
            return Answer(job_id, question, status, self._scene.clock())
        if question == "result":
            return Answer(job_id, question, status, self._scene.clock(), face=digest(data), size=len(data))
        body = json.loads(data)
        return Answer(job_id, question, status, self._scene.clock(), body["status"], body.get("error"))

    def fetch(self, act):
        self._fetch(self._finished(act))

    def fetch_twice(self, act):
        job_id = self._finished(act)
        self._fetch(job_id)
        self._fetch(job_id)

    def never_fetch(self, act):
        self._finished(act)

    def come_back(self, _):
        if self._known:
            job_id = self._rng.choice(self._known)
            self._note("status", job_id)
            self._fetch(job_id)

    def refused(self, act):
        self._submit(act, self._scene.uploads.bad[act])

    def forge(self, _):
        for question in ("status", "result"):
            self._note(question, FORGED)

    def leave_mid_upload(self, act):
        wire = self._raw(act, complete=False)
        self._send_and_leave(wire[: self._rng.randrange(1, len(wire))])

    def leave_unread(self, act):
        self._send_and_leave(self._raw(act, complete=True))

    def leave_mid_result(self, act):
        job_id = self._finished(act)
        if job_id is not None:
            self._send_and_leave(get(f"/api/images/result/{job_id}"), read=self._rng.randrange(1, 400))

    def _finished(self, act):
        """Submit, poll to the end, and return the job's id, None where it was not taken."""
        pair = self._rng.randrange(len(self._scene.uploads.good))
        job_id = self._submit(act, self._scene.uploads.good[pair], pair)
        deadline = time.monotonic() + self._scene.patience_s
        while job_id and self._note("status", job_id).state in {"PENDING", "RUNNING"} and time.monotonic() < deadline:
            time.sleep(self._rng.uniform(0.005, 0.05))
        return job_id

    def _submit(self, act, upload, pair=None):
        submission = Submission(next(self._scene.tickets), act, pair)
        self._log.submissions.append(submission)
        body, content_type = upload
        headers = {"Content-Type": content_type, TICKET: str(submission.ticket)}
        status, data = self._request("POST", SUBMIT, body, headers)
        if status == 202:
            submission.job_id = json.loads(data)["jobId"]
            self._known.append(submission.job_id)
        elif status == 503:
            time.sleep(self._rng.uniform(0.01, 0.1))  # sooner than Retry-After says
        submission.status = status
        return submission.job_id

    def _fetch(self, job_id):
        if job_id is not None:
            self._note("result", job_id)

    def _note(self, question, job_id):
        answer = self.ask(question, job_id)
        self._log.answers.append(answer)
        return answer

    def _request(self, method, path, body=None, headers=None):
        self._http.request(method, path, body, headers or {})
        with self._http.getresponse() as response:
            return response.status, response.read()

    def _raw(self, act, *, complete):
        pair = self._rng.randrange(len(self._scene.uploads.good))
        submission = Submission(next(self._scene.tickets), act, pair, stays=False, complete=complete)
        self._log.submissions.append(submission)
        return post(self._scene.uploads.good[pair], submission.ticket)

    def _send_and_leave(self, data, *, read=0):
        connection = socket.create_connection(("127.0.0.1", self._scene.port), timeout=_ANSWER_S)
        with contextlib.closing(connection), contextlib.suppress(ConnectionError):
            connection.sendall(data)
            if read:
                connection.recv(read)
            leave(connection, self._rng)


ACTS = {
    "a good journey": User.fetch,
    "fetch twice": User.fetch_twice,
    "never fetch": User.never_fetch,
    "come back later": User.come_back,
    "leave in mid-upload": User.leave_mid_upload,
    "leave without reading": User.leave_unread,
    "leave in mid-result": User.leave_mid_result,
    "an oversized upload": User.refused,
    "a truncated photograph": User.refused,
    "another boundary": User.refused,
    "a bomb": User.refused,
    "a forged id": User.forge,
}
