"""Requests to a WSGI application in this process, without a socket."""

from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

from werkzeug.test import Client, TestResponse

from labserver.diagnosis.fact import FailedKind
from labserver.diagnosis.failure import Failure, JobsFailed, end_of
from labserver.errors import CannotRun, UsageError
from labserver.load.answer import answer_from
from labserver.load.placeholders import Known
from labserver.load.templates import parse_requests


def wsgi_job(application: Callable[..., Any], requests: Sequence[str]) -> Callable[[], None]:
    """One job: the requests in their order, `{name}` filled from the JSON answers before them.

    Raises:
        UsageError: a request is not spelt as `METHOD /path`, or needs a socket.
    """
    templates = parse_requests(requests)
    for text, template in zip(requests, templates, strict=True):
        if template.uploads or template.until is not None:
            raise UsageError(
                f"{text!r} needs a server: name the application as module:attribute in place of giving it."
            )

    def job() -> None:
        """Raises `JobsFailed` where a request is answered with another status than it expects."""
        known = Known()
        session = _Session(application)
        for template in templates:
            try:
                answer = template.send(session, "", known)  # type: ignore[arg-type] # all of a session that it needs
            except KeyError as error:
                raise CannotRun(f"{template} needs {{{error.args[0]}}}, which no JSON answer before it has.") from None
            refusal = template.refusal(answer.status_code)
            if refusal is not None:
                raise JobsFailed(FailedKind.ONE, session.failure(refusal, answer))
            known.learn(_fields(answer))

    return job


class _Session:
    """As much of `requests.Session` as a request template uses."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._client = Client(application)
        self._errors = StringIO()

    def request(
        self, method: str, path: str, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> TestResponse:
        # As a server does: the whole answer is taken, and then closed.
        return self._client.open(
            path, method=method, data=data, headers=headers, buffered=True, errors_stream=self._errors
        )

    def failure(self, why: str, response: Any) -> Failure:
        """Why the job failed, with what the application has written to the server's log, as WSGI has it."""
        status, _, reason = response.status.partition(" ")
        return Failure(why, answer_from(int(status), reason, response.data), end_of(self._errors.getvalue()))


def _fields(answer: Any) -> dict[str, Any]:
    found = answer.get_json(silent=True) if answer.is_json else None
    return found if isinstance(found, dict) else {}
