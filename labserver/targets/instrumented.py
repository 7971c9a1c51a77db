"""A process and the instruments in it, as whoever measures it sees them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labserver.errors import CannotRun
from labserver.heap.heap_growth import HeapGrowth, Site
from labserver.heap.wire import ANSWER_TIMES, BaselineTaken, Collected, FloorReading, HeapSaved, MemoryLimit


class Regrouped(Exception):  # noqa: N818 - what is measured has become another, which is no mistake
    """Other processes serve than before: what was read of them until now is not to be compared with what will be."""


class Instrumented(ABC):
    """A process whose instruments answer, one question at a time.

    Every question raises CannotRun where the process has died or does not answer, or the instrument failed; CannotLook
    where the heap could not be looked at; NotInstrumented where there are no instruments, which `floor` does without;
    Regrouped where others serve than before, who are then asked from the next question on.

    Attributes:
        pids: of the processes that serve together, and are asked as one; empty for one that needs no number.
        instrumented: whether all instruments work; otherwise there is `floor` alone, which gives `private_bytes`.
        notes: sentences about how it is measured that a reader of the result should know.
    """

    pids: tuple[int, ...] = ()
    instrumented: bool
    notes: list[str]

    @property
    def processes(self) -> int:
        """How many they are."""
        return max(len(self.pids), 1)

    @property
    def acts_by_itself(self) -> bool:
        """Whether anything can happen in the process while nobody asks it for anything, as what expires by itself."""
        return True

    def floor(self, *, threads: int | None = None, settle_s: float | None = None) -> FloorReading:
        """The memory at rest.

        Args:
            threads: the number of threads at rest, which is waited for; None not to wait for any.
            settle_s: the longest wait for connections and threads to end; None for the agent's own.
        """
        wanted: dict[str, Any] = {"threads": threads} | ({} if settle_s is None else {"settle_s": settle_s})
        return FloorReading.from_json(self._ask("floor", wanted, ANSWER_TIMES.prompt_s))

    def baseline(self, *, stall_ms: float | None = None) -> BaselineTaken:
        """Remember the heap as it is.

        Args:
            stall_ms: for how long this look and those that follow may hold the process up; None for as long as before.
        """
        wanted = {} if stall_ms is None else {"stall_ms": stall_ms}
        return BaselineTaken.from_json(self._ask("baseline", wanted, ANSWER_TIMES.look_s))

    def growth(self) -> HeapGrowth:
        """What has come since the baseline, and who holds it."""
        return HeapGrowth.from_json(self._ask("growth", {}, ANSWER_TIMES.look_s))

    def trace(self, frames: int) -> bool:
        """Trace allocations with so many frames, or no longer for 0; returns whether they are traced now."""
        return bool(self._ask("trace", {"frames": frames}, ANSWER_TIMES.prompt_s))

    def sites(self) -> tuple[Site, ...]:
        """The stacks that allocated most of what came since the baseline, or since tracing began, and stayed."""
        return tuple(map(Site.from_json, self._ask("sites", {}, ANSWER_TIMES.look_s)))

    def limit(self) -> MemoryLimit:
        """The limit of its memory that it reaches first."""
        return MemoryLimit.from_json(self._ask("limit", {}, ANSWER_TIMES.prompt_s))

    def collect(self) -> Collected:
        """Collect garbage once."""
        return Collected.from_json(self._ask("collect", {}, ANSWER_TIMES.look_s))

    def save_heap(self, path: Path, *, target: str, with_names: bool) -> HeapSaved:
        """Write the heap to a file.

        Args:
            path: absolute; of a file that is there and that the process may write.
            target: what the user calls the process.
            with_names: whether keys and strings are told, shortened.
        """
        wanted = {"path": str(path), "target": target, "with_names": with_names}
        return HeapSaved.from_json(self._ask("save_heap", wanted, ANSWER_TIMES.look_s))

    @abstractmethod
    def _ask(self, command: str, arguments: dict[str, Any], within_s: float) -> Any:
        """What the agent answers to a command, as JSON values."""


class Target(Instrumented):
    """Something that can be put under load.

    Attributes:
        url: where it answers, without a trailing slash.
        pid: the process that serves.
    """

    url: str
    pid: int

    @abstractmethod
    def alive(self) -> bool:
        """Whether the process still runs."""

    @abstractmethod
    def death(self) -> CannotRun:
        """Why it is gone, in one sentence, to be raised."""

    @abstractmethod
    def overhear(self) -> Callable[[], str] | None:
        """From now on: what is called gives what has been printed since; None where that cannot be read."""
