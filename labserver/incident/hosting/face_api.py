"""The AI service beside the gateway: in threads of this process, or in a process of its own that can be killed."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from labserver.errors import CannotRun, UsageError
from labserver.incident.hosting.embedded import hosted, overridden
from labserver.incident.service.faceapi import FaceService, FaceSettings, create_face_api, face_service_of
from labserver.processes.helper import Helper
from labserver.processes.lifeline import Lifeline

# Or twice as many as inferences at the same time: who waits for one must not keep `/health` waiting.
_LEAST_HTTP_THREADS = 64
_START_S = 30.0
_QUIT_S = 5.0


@dataclass(frozen=True, slots=True)
class EmbeddedFaceApi:
    """An AI service that answers.

    Attributes:
        url: Where, without a trailing slash.
        port: The same, as a number.
        service: The inferences behind it.
    """

    url: str
    port: int
    service: FaceService


@contextmanager
def embedded_face_api(
    settings: FaceSettings | None = None, *, port: int = 0, **overrides: Any
) -> Iterator[EmbeddedFaceApi]:
    """Serve the AI service from threads of this process, and leave nothing behind.

    Args:
        settings: What to serve; the defaults if left out.
        port: The port to listen on; 0 takes any free one.
        **overrides: Fields of `FaceSettings` to change, by name.

    Raises:
        UsageError: A setting is unknown or has a value that is not allowed.
        CannotRun: The port is taken, or the server could not be started.
    """
    app = create_face_api(overridden(settings or FaceSettings(), overrides))
    service = face_service_of(app)
    http_threads = max(_LEAST_HTTP_THREADS, 2 * service.settings.workers)
    with hosted(app.wsgi_app, service, port, http_threads) as host:
        yield EmbeddedFaceApi(f"http://127.0.0.1:{host.port}", host.port, service)


class FaceApiProcess:
    """An AI service in a process of its own; made by `face_api_process`.

    Attributes:
        url: Where it is served, without a trailing slash.
        port: The same, as a number: another process can take its place there.
        pid: Its process id.
    """

    def __init__(self, settings: FaceSettings, port: int) -> None:
        config = {"settings": asdict(settings), "port": port}
        self._helper = Helper("labserver.incident.hosting.face_api", json.dumps(config), what="The face-api's process")
        self.pid = self._helper.pid
        self.port = 0
        self.url = ""

    def start(self) -> None:
        """Return when it serves.

        Raises:
            CannotRun: It does not.
        """
        answer = self._helper.receive(_START_S)
        if "error" in answer:
            raise UsageError(answer["error"]) if answer["usage"] else CannotRun(answer["error"])
        self.port = answer["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def alive(self) -> bool:
        """Return whether the process still runs."""
        return self._helper.alive()

    def kill(self) -> None:
        """Kill it, as a crash would, and return when it is gone."""
        self._helper.kill()

    def close(self) -> None:
        """End it in good order, or else without; may be called again."""
        self._helper.close(_QUIT_S)


@contextmanager
def face_api_process(
    settings: FaceSettings | None = None, *, port: int = 0, **overrides: Any
) -> Iterator[FaceApiProcess]:
    """Serve the AI service from a process of its own, which ends with this block and with this process.

    The arguments and errors are those of `embedded_face_api`. A killed one is replaced by another block with `port`.
    """
    process = FaceApiProcess(overridden(settings or FaceSettings(), overrides), port)
    try:
        process.start()
        yield process
    finally:
        process.close()


def main() -> None:
    """Serve until the parent closes its end of the standard input, or is gone."""
    lifeline = Lifeline()
    config = json.loads(sys.argv[1])
    settings = FaceSettings(**config["settings"])
    try:
        with embedded_face_api(settings, port=config["port"]) as server:
            _say(port=server.port)
            lifeline.wait()
    except (CannotRun, UsageError) as error:
        _say(error=str(error), usage=isinstance(error, UsageError))


def _say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()
