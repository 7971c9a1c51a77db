"""The routes: submit a job, poll its status, fetch its result."""

import io
import math
from datetime import UTC, datetime
from typing import IO, NoReturn

from flask import Blueprint, Request, Response, jsonify, request, url_for

from labserver.service.face import BadPhoto, check_photo
from labserver.service.ids import UnknownJob
from labserver.service.jobs import JobResult, JobState, QueueFull
from labserver.service.problems import Problem
from labserver.service.runtime import current_service

routes = Blueprint("jobs", __name__)


class InMemoryRequest(Request):
    """A request whose uploads stay in memory: they are bounded, and no temporary file can be left behind."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - the signature is werkzeug's
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        return io.BytesIO()


@routes.get("/health")
def health() -> Response:
    """Answer that the server serves."""
    return jsonify(status="UP")


@routes.post("/api/images/analyze")
def analyze() -> Response:
    """Take two photographs and answer at once with the id of the job that will compose them."""
    service = current_service()
    parent_a, parent_b = _photo("parentA"), _photo("parentB")
    job_id = service.ids.issue()
    try:
        service.queue.submit(job_id, parent_a, parent_b)
    except QueueFull:
        raise Problem(
            503,
            "/problems/queue-full",
            "The job queue is full",
            "All places in the queue are taken; submit the photographs again later.",
            headers=_retry_after(),
        ) from None
    response = jsonify(jobId=job_id)
    response.status_code = 202
    response.headers["Location"] = url_for("jobs.status", job_id=job_id)
    response.headers.update(_retry_after())
    return response


@routes.get("/api/images/status/<job_id>")
def status(job_id: str) -> Response:
    """Say where a job stands."""
    result = _kept(job_id)
    body = {
        "jobId": job_id,
        "status": result.state,
        "createdAt": datetime.fromtimestamp(result.created_at, UTC).isoformat(timespec="milliseconds"),
    }
    if result.error is not None:
        body["error"] = result.error
    response = jsonify(body)
    response.headers["Cache-Control"] = "no-store"
    if not result.state.finished:
        response.headers.update(_retry_after())
    return response


@routes.get("/api/images/result/<job_id>")
def result(job_id: str) -> Response:
    """Return a finished job's image, as often as it is asked for while it is kept."""
    kept = _kept(job_id)
    if kept.image is None:
        _refuse_result(kept)
    response = Response(kept.image, mimetype="image/png")
    response.headers["Cache-Control"] = "no-store"
    return response


def _photo(part: str) -> bytes:
    """Return an uploaded photograph that is known to be usable."""
    upload = request.files.get(part)
    data = upload.stream.read() if upload is not None else b""
    if not data:
        raise Problem(
            400,
            "/problems/missing-photo",
            "A photograph is missing",
            f"Send a multipart/form-data body with a file in the part {part!r}.",
        )
    try:
        check_photo(data, current_service().settings.max_pixels)
    except BadPhoto as error:
        # 422 and not 415: the request's media type, multipart/form-data, is the right one and its syntax is
        # correct; it is the content of a part that cannot be processed (RFC 9110, 15.5.21).
        raise Problem(
            422, "/problems/bad-photo", "A photograph cannot be used", f"Part {part!r}: {error} Send another one."
        ) from None
    return data


def _kept(job_id: str) -> JobResult:
    """Return the job's newest state, or answer whether it never existed or exists no more."""
    service = current_service()
    try:
        service.ids.verify(job_id)
    except UnknownJob:
        raise Problem(
            404, "/problems/unknown-job", "There is no such job", "This id was not issued by this server."
        ) from None
    result = service.store.get(job_id)
    if result is None:
        raise Problem(
            410, "/problems/job-gone", "The job is no longer kept", "Its time is over; submit the photographs again."
        )
    return result


def _refuse_result(result: JobResult) -> NoReturn:
    """Answer 409 for a job without an image: its state, not the request, is in the way."""
    if result.state is JobState.FAILED:
        raise Problem(409, "/problems/job-failed", "The job failed", result.error or "The face could not be composed.")
    raise Problem(
        409,
        "/problems/job-unfinished",
        "The job has not finished",
        f"The job is {result.state}; ask again later.",
        headers=_retry_after(),
    )


def _retry_after() -> dict[str, str]:
    # The header counts whole seconds (RFC 9110, 10.2.3).
    return {"Retry-After": str(math.ceil(current_service().settings.retry_after_s))}
