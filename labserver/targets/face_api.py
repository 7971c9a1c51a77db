"""The AI service beside the gateway: in threads of this process, or in a process of its own that can be killed."""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from labserver.errors import CannotRun, UsageError
from labserver.service.faceapi import FaceService, FaceSettings, create_face_api, face_service_of
from labserver.targets.embedded import hosted, overridden

# More than inferences at the same time: who waits for one must not keep `/health` waiting.
HTTP_THREADS = 64
_START_S = 30.0
_QUIT_S = 5.0
_WATCH_S = 0.5
_TAIL_BYTES = 2000
_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from labserver.targets.face_api import main; main()"
_PACKAGES = Path(__file__).parents[2]


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
    settings: FaceSettings | None = None, *, port: int = 0, http_threads: int = HTTP_THREADS, **overrides: Any
) -> Iterator[EmbeddedFaceApi]:
    """Serve the AI service from threads of this process, and leave nothing behind.

    Args:
        settings: What to serve; the defaults if left out.
        port: The port to listen on; 0 takes any free one.
        http_threads: Requests that are taken at the same time, those that wait for a worker included.
        **overrides: Fields of `FaceSettings` to change, by name.

    Raises:
        UsageError: A setting is unknown or has a value that is not allowed.
        CannotRun: The port is taken, or the server could not be started.
    """
    app = create_face_api(overridden(settings or FaceSettings(), overrides))
    service = face_service_of(app)
    with hosted(app.wsgi_app, service, port, http_threads) as host:
        yield EmbeddedFaceApi(f"http://127.0.0.1:{host.port}", host.port, service)


class FaceApiProcess:
    """An AI service in a process of its own; made by `face_api_process`.

    Attributes:
        url: Where it is served, without a trailing slash.
        port: The same, as a number: another process can take its place there.
        pid: Its process id.
    """

    def __init__(self, settings: FaceSettings, port: int, http_threads: int) -> None:
        config = {"settings": asdict(settings), "port": port, "http_threads": http_threads}
        self._errors = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - lives as long as the process that writes to it
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter and a module of this package
            # Not `-m`: modules of the working directory must not stand in for those that it needs.
            [sys.executable, "-P", "-c", _BOOT, str(_PACKAGES), json.dumps(config)],
            stdin=subprocess.PIPE,  # its end tells the process that this one is gone
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C on the terminal is this process' to handle
        )
        self.pid = self._process.pid
        self.port = 0
        self.url = ""

    def start(self) -> None:
        """Return when it serves.

        Raises:
            CannotRun: It does not.
        """
        answer = self._first_line()
        if "error" in answer:
            raise UsageError(answer["error"]) if answer["usage"] else CannotRun(answer["error"])
        self.port = answer["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def alive(self) -> bool:
        """Return whether the process still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill it, as a crash would, and return when it is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it in good order, or else without; may be called again."""
        pipes: list[IO[bytes] | None] = [self._process.stdin, self._process.stdout]
        for pipe in pipes:
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_QUIT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            self._errors.close()

    def _first_line(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        readable, _, _ = select.select([self._process.stdout], [], [], _START_S)
        line = self._process.stdout.readline() if readable else b""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _TAIL_BYTES))
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        last = f"; its last output: {said[-1]}" if said else ""
        raise CannotRun(f"The face-api's process did not start within {_START_S:g} s{last}.")


@contextmanager
def face_api_process(
    settings: FaceSettings | None = None, *, port: int = 0, http_threads: int = HTTP_THREADS, **overrides: Any
) -> Iterator[FaceApiProcess]:
    """Serve the AI service from a process of its own, which ends with this block and with this process.

    The arguments and errors are those of `embedded_face_api`. A killed one is replaced by another block with `port`.
    """
    process = FaceApiProcess(overridden(settings or FaceSettings(), overrides), port, http_threads)
    try:
        process.start()
        yield process
    finally:
        process.close()


def main() -> None:
    """Serve until the parent closes its end of the standard input, or is gone."""
    parent = os.getppid()
    config = json.loads(sys.argv[1])
    settings = FaceSettings(**config["settings"])
    try:
        with embedded_face_api(settings, port=config["port"], http_threads=config["http_threads"]) as server:
            _say(port=server.port)
            # A process that the parent forked may hold the pipe open after its death: then only the new parent tells.
            while os.getppid() == parent and not select.select([0], [], [], _WATCH_S)[0]:
                pass
    except (CannotRun, UsageError) as error:
        _say(error=str(error), usage=isinstance(error, UsageError))


def _say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()
