"""The routes: submit a job, poll its status, fetch its result; or wait for the face in the request itself."""

import math
from datetime import UTC, datetime
from typing import NoReturn

from flask import Blueprint, Response, jsonify, request, url_for

from labserver.incident.service.face import Closing, ComposeError
from labserver.incident.service.face_client import FaceApiError, FaceApiTimeout
from labserver.incident.service.ids import UnknownJob
from labserver.incident.service.job_queue import QueueFull
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.problems import Problem, answer_problem
from labserver.incident.service.runtime import current_service
from labserver.incident.service.stores import StoreFull, StoreUnavailable
from labserver.incident.service.uploads import uploaded_photo

routes = Blueprint("jobs", __name__)


@routes.app_errorhandler(StoreUnavailable)
def refuse_for_now(error: StoreUnavailable) -> Response:
    """Answer that the store takes nothing new, or cannot be reached."""
    full = isinstance(error, StoreFull)
    return answer_problem(
        Problem(
            503,
            "/problems/store-full" if full else "/problems/store-unavailable",
            "The store is full" if full else "The store is unavailable",
            str(error),
            headers=_retry_after(error.retry_after_s),
        )
    )


@routes.get("/health")
def health() -> Response:
    """Answer that the server serves."""
    return jsonify(status="UP")


@routes.post("/api/images/analyze")
def analyze() -> Response:
    """Take two photographs and answer at once with the id of the job that will compose them."""
    service = current_service()
    parent_a, parent_b = _photos()
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


@routes.post("/api/images/compose")
def compose() -> Response:
    """Take two photographs and answer with their face: the thread of the request waits for it, and nothing is kept.

    So the gateway worked before there were jobs.
    """
    try:
        image = current_service().compose(*_photos())
    except ComposeError as error:
        raise _no_face(error) from None
    response = Response(image, mimetype="image/png")
    response.headers["Cache-Control"] = "no-store"
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
    """Return a finished job's image; how often and how long, the store decides."""
    # Only who gets the body has read the result: HEAD asks for the headers.
    kept = _kept(job_id, take=request.method == "GET")
    if kept.image is None:
        _refuse_result(kept)
    response = Response(kept.image, mimetype="image/png")
    response.headers["Cache-Control"] = "no-store"
    return response


def _photos() -> tuple[bytes, bytes]:
    max_pixels = current_service().settings.max_pixels
    return uploaded_photo("parentA", max_pixels), uploaded_photo("parentB", max_pixels)


def _kept(job_id: str, *, take: bool = False) -> JobResult:
    """Return the job's newest state, or answer whether it never existed or exists no more."""
    service = current_service()
    try:
        service.ids.verify(job_id)
    except UnknownJob:
        raise Problem(
            404, "/problems/unknown-job", "There is no such job", "This id was not issued by this server."
        ) from None
    result = service.store.take(job_id) if take else service.store.get(job_id)
    if result is None:
        raise Problem(
            410, "/problems/job-gone", "The job is no longer kept", "Its time is over; submit the photographs again."
        )
    return result


def _no_face(error: ComposeError) -> Problem:
    """Return who is to blame for a face that was waited for in vain."""
    if isinstance(error, Closing):
        return Problem(503, "/problems/closing", "The service is closing", str(error), headers=_retry_after())
    if isinstance(error, FaceApiTimeout):
        return Problem(504, "/problems/face-api-timeout", "The face-api was too slow", str(error))
    if isinstance(error, FaceApiError):
        return Problem(502, "/problems/face-api-failed", "The face-api failed", str(error))
    return Problem(422, "/problems/bad-photo", "A photograph cannot be used", str(error))


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


def _retry_after(seconds: float | None = None) -> dict[str, str]:
    if seconds is None:
        seconds = current_service().settings.retry_after_s
    # The header counts whole seconds (RFC 9110, 10.2.3).
    return {"Retry-After": str(math.ceil(seconds))}
