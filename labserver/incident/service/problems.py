"""Errors as problem documents (RFC 9457): every answer that is not a success has the same shape."""

import json
from collections.abc import Mapping

from flask import Flask, Response
from werkzeug.exceptions import HTTPException


class Problem(Exception):  # noqa: N818 - the RFC's own term
    """An error that a client can act on.

    Args:
        status: HTTP status code.
        type_: URI reference that names the kind of problem, stable for programs.
        title: The kind in a few words, the same at each occurrence.
        detail: What is wrong with this request, and what to do.
        headers: Further response headers, such as `Retry-After`.
    """

    def __init__(
        self, status: int, type_: str, title: str, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.type = type_
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})


def register_problems(app: Flask) -> None:
    """Make `app` answer its own problems, the framework's errors and unexpected exceptions as problem documents."""
    app.register_error_handler(Problem, answer_problem)
    # Flask logs an unexpected exception and hands it on as a bare 500, so this handler leaks no internals.
    app.register_error_handler(HTTPException, _answer_http_exception)


def answer_problem(problem: Problem) -> Response:
    """Return the problem as a response."""
    response = _document(problem.status, problem.type, problem.title, problem.detail)
    response.headers.update(problem.headers)
    return response


def _answer_http_exception(error: HTTPException) -> Response:
    # "about:blank" is the RFC's type for problems that the status code describes in full.
    response = _document(error.code or 500, "about:blank", error.name, error.description or error.name)
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value  # `Allow` of a 405, for one
    return response


def _document(status: int, type_: str, title: str, detail: str) -> Response:
    body = {"type": type_, "title": title, "status": status, "detail": detail}
    response = Response(json.dumps(body), status=status, content_type="application/problem+json")
    response.headers["Cache-Control"] = "no-store"
    return response
