"""A process of this machine: its memory from outside, and from inside where it calls `labserver.listen()`."""

import contextlib
from typing import Any

import psutil

from labserver.errors import CannotRun
from labserver.processes.running import runs
from labserver.targets.conversation import Conversation
from labserver.targets.running import agent_of
from labserver.watch.sample import Sample

_ANSWER_S = 2.0


class Process:
    """A process by its id; psutil knows it by its start as well, so another one with its number is none of it.

    Raises:
        CannotRun: there is no such process, or it may not be looked at.
    """

    def __init__(self, pid: int) -> None:
        try:
            self._process = psutil.Process(pid)
            name = self._process.name()
            self._process.memory_info()
        except psutil.AccessDenied:
            raise CannotRun(f"Process {pid} may not be looked at: watch it as the user it belongs to.") from None
        except (psutil.Error, OverflowError, ValueError):
            raise CannotRun(f"There is no process {pid}: give a running one's number, or a URL.") from None
        self._conversation = self._converse()
        inside = " and its own instruments" if self._conversation is not None else ""
        self.what = f"process {pid} ({name}), from outside{inside}"

    def read(self) -> Sample:
        """Read the process's memory; `ended` when it is no more."""
        try:
            if not runs(self._process):
                return Sample(event="ended")
            private = None
            with contextlib.suppress(psutil.AccessDenied):
                private = self._process.memory_full_info().uss
            resident = self._process.memory_info().rss
        except psutil.Error:
            return Sample(event="ended")
        inside = self._inside()
        return Sample(
            heap_bytes=inside.get("heap_bytes"),
            resident_bytes=resident,
            private_bytes=private,
            live_jobs=inside.get("live_jobs"),
            finished_jobs=inside.get("finished_jobs"),
            event=inside.get("event", ""),
        )

    def close(self) -> None:
        """End the conversation."""
        if self._conversation is not None:
            self._conversation.close()

    def _inside(self) -> dict[str, Any]:
        if self._conversation is None:
            return {}
        try:
            answer: dict[str, Any] = self._conversation.ask("reading", {}, _ANSWER_S)
        except CannotRun:
            return {"event": "gap: its instruments do not answer"}
        return answer

    def _converse(self) -> Conversation | None:
        lines = agent_of(self._process)
        if lines is None:
            return None
        conversation = Conversation(lines, lambda: runs(self._process), self._death, lambda: "")
        try:
            conversation.ask("reading", {}, _ANSWER_S)
        except CannotRun:  # another one talks to it, or it is of another version
            conversation.close()
            return None
        return conversation

    def _death(self) -> CannotRun:
        return CannotRun(f"Process {self._process.pid} has ended.")
