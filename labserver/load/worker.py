"""The process in which the virtual users live, spoken to in JSON lines; started by `labserver.load.users`.

It reads its configuration, then commands (`run`, `stop`, `quit`) from its standard input, and writes events (`ready`,
`progress`, `summary`, `error`) to its standard output. It ends at once when its parent is gone.
"""

import importlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from labserver.errors import LabserverError, UsageError
from labserver.load.crowd import Budget, Crowd, MakeJourney
from labserver.load.journey import Journey, PlainJourney
from labserver.load.outputs import open_outputs
from labserver.load.polling import Polling
from labserver.load.templates import RequestsJourney, parse_requests
from labserver.load.thresholds import parse_threshold
from labserver.processes.lifeline import Lifeline


class Commands:
    """The parent's lines, as they come; the thread that reads them ends the process when the parent is gone.

    Args:
        lifeline: where they come from.

    Attributes:
        wake: set whenever a command has come.
    """

    def __init__(self, lifeline: Lifeline) -> None:
        self._lifeline = lifeline
        self.wake = threading.Event()
        self._lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def next(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The next command, or None when there was none in time."""
        try:
            return self._lines.get(timeout=timeout)
        except queue.Empty:
            return None

    def _read(self) -> None:
        pending = b""
        while block := self._lifeline.read():
            *lines, pending = (pending + block).split(b"\n")
            for line in lines:
                command = json.loads(line)
                self._lines.put(command)
                self.wake.set()
                if command.get("command") == "quit":
                    return
        os._exit(1)


class Worker:
    """Does what the commands say and writes events."""

    def __init__(self, commands: Commands, output: BinaryIO) -> None:
        self._commands = commands
        self._output = output

    def serve(self) -> None:
        """Set up, then run whenever told, until told to quit."""
        try:
            self._serve()
        except LabserverError as error:
            self._emit("error", usage=isinstance(error, UsageError), message=str(error))

    def _serve(self) -> None:
        crowd = _crowd(self._commands.next() or {})
        self._emit("ready", pid=os.getpid())
        while True:
            command = self._commands.next() or {}
            if command.get("command") == "quit":
                crowd.close()
                return
            # A stop that crossed the end of its run on the way has nothing left to stop.
            if command.get("command") == "run":
                self._run(crowd, command)

    def _run(self, crowd: Crowd, command: dict[str, Any]) -> None:
        budget = Budget(command["iterations"], command["duration_s"])
        summary = crowd.run(
            budget,
            command["graceful_stop_s"],
            wake=self._commands.wake,
            stopped=lambda: self._commands.next(timeout=0) is not None,
            report=lambda progress: self._emit("progress", progress=asdict(progress)),
        )
        self._emit("summary", summary=summary.to_dict())

    def _emit(self, event: str, **values: Any) -> None:
        self._output.write(json.dumps({"event": event, **values}, allow_nan=False).encode() + b"\n")
        self._output.flush()


def _crowd(config: dict[str, Any]) -> Crowd:
    make_journey, name_request = _journey(config)
    thresholds = [parse_threshold(text) for text in config["thresholds"]]
    outputs = open_outputs(config["outputs"], [(item.label, item.expression) for item in thresholds])
    return Crowd(
        config["base_url"], config["users"], config["timeout_s"], make_journey, name_request, outputs, thresholds
    )


def _journey(config: dict[str, Any]) -> tuple[MakeJourney, Callable[[str, str], str] | None]:
    if config["requests"]:
        templates = parse_requests(config["requests"])
        return lambda samples, cut: RequestsJourney(templates, samples, cut), None
    if config["journey"] is not None:
        call = _import(config["journey"])
        return lambda samples, cut: PlainJourney(call, samples, cut), None
    return _image_journey(config)


def _image_journey(config: dict[str, Any]) -> tuple[MakeJourney, Callable[[str, str], str]]:
    # Other journeys need no Pillow, which a plain installation lacks.
    from labserver.load.image_journey import ImageJourney, encode_upload  # noqa: PLC0415
    from labserver.load.photos import PhotoPool  # noqa: PLC0415

    folder = None if config["photos"] is None else Path(config["photos"])
    uploads = [encode_upload(pair) for pair in PhotoPool(config["seed"], folder).pairs]
    polling = Polling(
        config["poll_policy"], config["poll_interval_s"], config["max_poll_interval_s"], config["max_polls"]
    )

    def make(samples: Any, cut: threading.Event) -> Journey:
        return ImageJourney(uploads, samples, cut, polling=polling, seed=config["seed"])

    return make, ImageJourney.name_request


def _import(spec: str) -> Journey:
    """The callable that `module:attribute` names.

    Raises:
        UsageError: there is none.
    """
    module, _, attribute = spec.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        call = getattr(importlib.import_module(module), attribute)
    except SystemExit as error:
        raise UsageError(f"The journey {spec} cannot be imported: it calls sys.exit({error.code!r}).") from error
    except Exception as error:
        raise UsageError(f"The journey {spec} cannot be imported ({error}): give it as module:callable.") from error
    if not callable(call):
        raise UsageError(f"The journey {spec} is not callable: give it as module:callable.")
    found: Journey = call
    return found


def main() -> None:
    """Serve the parent until it says quit or is gone."""
    # A journey that prints must not speak in the middle of the protocol: its output goes where the errors go.
    with os.fdopen(os.dup(1), "wb") as output:
        os.dup2(2, 1)
        Worker(Commands(Lifeline()), output).serve()


if __name__ == "__main__":
    main()
