"""The AI service as an application of its own: two photographs in one request, the composed face in its answer."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from flask import Blueprint, Flask, Response, current_app, jsonify

from labserver.incident.service.face import ComposeError, compose
from labserver.incident.service.problems import Problem, register_problems
from labserver.incident.service.ranges import check_numbers
from labserver.incident.service.uploads import MAX_FORM_PARTS, InMemoryRequest, uploaded_photo

EXTENSION = "labserver-face-api"
routes = Blueprint("face", __name__)
_SECONDS = {"service_time_s": (0.0, 86_400.0)}
_COUNTS = {
    "workers": (1, 256),
    "fail_every": (0, 10**9),
    "result_px": (16, 4096),
    "max_upload_bytes": (1, 2**30),
    "max_pixels": (1, 2**30),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSettings:
    """The AI service's settings.

    Attributes:
        service_time_s: Least seconds that an inference takes, the work included: what a large model would take.
        workers: Inferences at the same time; further requests wait for one of them to end.
        fail_every: Every n-th inference fails with status 500; 0 for none, 1 for all.
        result_px: Side of the square result.
        max_upload_bytes: Largest request body.
        max_pixels: Largest photograph, width times height.

    Raises:
        UsageError: A field has a value that is not allowed.
    """

    service_time_s: float = 0.0
    workers: int = 4
    fail_every: int = 0
    result_px: int = 384
    max_upload_bytes: int = 8 * 2**20
    max_pixels: int = 40_000_000

    def __post_init__(self) -> None:
        check_numbers(self, seconds=_SECONDS, counts=_COUNTS)


class FaceService:
    """Inferences, so many at a time.

    Attributes:
        settings: What was asked for.
    """

    def __init__(self, settings: FaceSettings) -> None:
        self.settings = settings
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._busy = self._waiting = self._begun = self._finished = 0

    def start(self) -> None:
        """Start nothing: the work is done in the threads of the requests."""

    def interrupt(self) -> None:
        """End every wait; requests that are under way or come later are refused."""
        with self._changed:
            self._closing.set()
            self._changed.notify_all()

    def close(self) -> None:
        """Do the same: nothing else is held."""
        self.interrupt()

    def figures(self) -> dict[str, int]:
        """Return how many inferences are busy, waiting, and finished since the start."""
        with self._changed:
            return {"busy": self._busy, "waiting": self._waiting, "finished": self._finished}

    def infer(self, parent_a: bytes, parent_b: bytes) -> bytes:
        """Compose the face as soon as a worker is free, and not faster than the model would.

        Raises:
            ComposeError: The photographs cannot be used.
            Problem: The inference fails because it is set to, or the service is closing.
        """
        with self._worker() as number:
            ready_at = time.monotonic() + self.settings.service_time_s
            fails = self.settings.fail_every and number % self.settings.fail_every == 0
            size_px, max_pixels = self.settings.result_px, self.settings.max_pixels
            image = b"" if fails else compose(parent_a, parent_b, size_px=size_px, max_pixels=max_pixels)
            if self._closing.wait(max(ready_at - time.monotonic(), 0.0)):
                raise _closing()
        if fails:
            raise Problem(500, "/problems/inference-failed", "The inference failed", "The model gave no face.")
        return image

    @contextmanager
    def _worker(self) -> Iterator[int]:
        """Hold one of the workers; the value numbers the inferences from 1."""
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: self._closing.is_set() or self._busy < self.settings.workers)
            self._waiting -= 1
            if self._closing.is_set():
                raise _closing()
            self._busy += 1
            self._begun += 1
            number = self._begun
        try:
            yield number
        finally:
            with self._changed:
                self._busy -= 1
                self._finished += 1
                self._changed.notify()


def create_face_api(settings: FaceSettings | None = None) -> Flask:
    """Build the AI service; its host calls `app.extensions[EXTENSION].close()` after serving it."""
    settings = settings or FaceSettings()
    app = Flask("labserver.incident.service.faceapi", static_folder=None)
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    app.extensions[EXTENSION] = FaceService(settings)
    app.register_blueprint(routes)
    register_problems(app)
    return app


def face_service_of(app: Flask) -> FaceService:
    """Return the service that `create_face_api` put behind `app`."""
    return cast("FaceService", app.extensions[EXTENSION])


@routes.get("/health")
def health() -> Response:
    """Answer that the service serves, and how busy it is."""
    return jsonify(status="UP", **face_service_of(current_app).figures())


@routes.post("/compose")
def compose_face() -> Response:
    """Answer with the face composed of two photographs, when it is ready."""
    service = face_service_of(current_app)
    parent_a, parent_b = (uploaded_photo(part, service.settings.max_pixels) for part in ("parentA", "parentB"))
    try:
        image = service.infer(parent_a, parent_b)
    except ComposeError as error:
        # The header of a photograph may be sound and its pixels not.
        raise Problem(422, "/problems/bad-photo", "A photograph cannot be used", str(error)) from None
    response = Response(image, mimetype="image/png")
    response.headers["Cache-Control"] = "no-store"
    return response


def _closing() -> Problem:
    return Problem(503, "/problems/closing", "The service is closing", "Send the photographs again later.")
