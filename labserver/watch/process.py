"""A process of this machine: its memory from outside, and from inside where it calls `labserver.listen()`."""

import contextlib

import psutil

from labserver.errors import CannotRun
from labserver.heap.wire import ANSWER_TIMES, MemoryNow
from labserver.processes.running import runs
from labserver.targets.agent import converse
from labserver.targets.attach.refusal import CannotAttach
from labserver.targets.conversation import Conversation
from labserver.watch.sample import Sample


class Process:
    """A process by its id; psutil knows it by its start as well, so another one with its number is none of it.

    Args:
        pid: its number.
        attach_s: seconds that its main thread gets to let an agent in, where it has none; None to put none into it.

    Raises:
        CannotRun: there is no such process, or it may not be looked at.
    """

    def __init__(self, pid: int, *, attach_s: float | None = None) -> None:
        try:
            self._process = psutil.Process(pid)
            name = self._process.name()
            self._process.memory_info()
        except psutil.AccessDenied:
            raise CannotRun(f"Process {pid} may not be looked at: watch it as the user it belongs to.") from None
        except (psutil.Error, OverflowError, ValueError):
            raise CannotRun(f"There is no process {pid}: give a running one's number, or a URL.") from None
        inside = ""
        try:
            self._conversation = self._converse(attach_s)
        except CannotAttach as error:
            self._conversation, inside = None, f". {error}"
        if self._conversation is not None:
            inside = " and instruments put into it" if self._conversation.with_a_guest else " and its own instruments"
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
        inside, event = None, ""
        if self._conversation is not None:
            try:
                inside = _read(self._conversation)
            except CannotRun:
                event = "gap: its instruments do not answer"
        return Sample(
            heap_bytes=inside.heap_bytes if inside else None,
            resident_bytes=resident,
            private_bytes=private,
            live_jobs=inside.live_jobs if inside else None,
            finished_jobs=inside.finished_jobs if inside else None,
            event=event,
        )

    def close(self) -> None:
        """End the conversation."""
        if self._conversation is not None:
            self._conversation.close()

    def _converse(self, attach_s: float | None) -> Conversation | None:
        conversation = converse(self._process, lambda: runs(self._process), self._death, attach_s=attach_s)
        if conversation is None:
            return None
        try:
            _read(conversation)
        except CannotRun:  # another one talks to it, or it is of another version
            conversation.close()
            return None
        return conversation

    def _death(self) -> CannotRun:
        return CannotRun(f"Process {self._process.pid} has ended.")


def _read(conversation: Conversation) -> MemoryNow:
    return MemoryNow.from_json(conversation.ask("reading", {}, ANSWER_TIMES.reading_s))
