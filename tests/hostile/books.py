"""Who noted what: the clients, the server as it answered, and the store as it was written to."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from flask import request, request_finished

from labserver.incident.service.stores import STORES

from .wire import TICKET


@dataclass(slots=True)
class Submission:
    """An upload as its client knows it.

    Attributes:
        ticket: Its number.
        act: What the client was about.
        pair: Which photographs; None where they must be refused.
        stays: Whether the client waits for the answer.
        complete: Whether the whole of it was sent.
        status: The answer's, once it was read.
        job_id: The id that came with 202.
    """

    ticket: int
    act: str
    pair: int | None
    stays: bool = True
    complete: bool = True
    status: int | None = None
    job_id: str | None = None


class Answer(NamedTuple):
    """What a client was told of a job: at `at` by the service's clock, or before."""

    job_id: str
    question: str
    status: int
    at: float
    state: str | None = None
    error: str | None = None
    face: bytes | None = None
    size: int = 0


@dataclass(slots=True)
class ClientLog:
    """What all clients noted; `broken` are the answers that did not come."""

    submissions: list[Submission] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class Handled(NamedTuple):
    """A submission that the server answered, whether or not anybody read it."""

    ticket: int
    status: int
    job_id: str | None


class Ended(NamedTuple):
    """A final state that was written to the store, and its time by the service's clock."""

    job_id: str
    state: str
    at: float


@dataclass(slots=True)
class ServerLog:
    """What the server did; `read` are the jobs whose image it answered with."""

    statuses: list[int] = field(default_factory=list)
    handled: list[Handled] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    begun: list[str] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)


class Book:
    """Takes the server's notes while a `noted` block lasts, in one log after another."""

    def __init__(self):
        self._lock = threading.Lock()
        self._log = ServerLog()

    def take(self):
        """Return the log so far, and begin another."""
        with self._lock:
            taken, self._log = self._log, ServerLog()
        return taken

    def answered(self, _app, response, **_):
        ticket = request.headers.get(TICKET)
        with self._lock:
            self._log.statuses.append(response.status_code)
            if ticket is not None:
                job_id = response.headers["Location"].rpartition("/")[2] if response.status_code == 202 else None
                self._log.handled.append(Handled(int(ticket), response.status_code, job_id))
            if request.endpoint == "jobs.result" and response.status_code == 200:
                self._log.read.add(request.view_args["job_id"])

    def written(self, job_id, result):
        with self._lock:
            if result.state.finished:
                self._log.ended.append(Ended(job_id, str(result.state), result.created_at))
            elif result.state == "PENDING":
                self._log.begun.append(job_id)


class Witness:
    """A store that tells a book of everything it has taken."""

    def __init__(self, store, book):
        self._store = store
        self._book = book

    def put(self, job_id, result):
        self._store.put(job_id, result)
        self._book.written(job_id, result)

    def __len__(self):
        return len(self._store)

    def __getattr__(self, name):
        return getattr(self._store, name)


@contextmanager
def noted(store, book):
    """Note what a service that is made in this block, with the store of that name, answers and writes."""
    factory = STORES[store]
    STORES[store] = lambda settings, clock: Witness(factory(settings, clock), book)
    try:
        with request_finished.connected_to(book.answered):
            yield
    finally:
        STORES[store] = factory
