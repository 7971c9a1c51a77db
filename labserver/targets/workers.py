"""Processes that serve together, asked as if they were one."""

import contextlib
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import psutil

from labserver.errors import CannotRun
from labserver.heap.meters import SETTLING, wait_until
from labserver.heap.wire import ANSWER_TIMES, FloorReading
from labserver.processes.running import runs
from labserver.targets.agent import Waiting, converse
from labserver.targets.attach.refusal import NotAttachable
from labserver.targets.conversation import Conversation
from labserver.targets.instrumented import Regrouped
from labserver.targets.merging import MERGED, floor_of, merged
from labserver.targets.process_meter import rest
from labserver.targets.visited import Visited, or_listen

_POLL_S = 0.1
_HUNG_UP_S = 2.0  # from the end of a conversation to that of its process
_STEADY_S = 0.5  # for which those that serve have to be the same: a master starts one after another
_REPLACED_S = 20.0  # until another serves in the place of one that has ended, and has its agent


class _Ended(CannotRun):
    """A process has, in the midst of a question."""


@dataclass(slots=True)
class _Member:
    """A process that serves.

    Attributes:
        process: it.
        conversation: with its agent; None where it has none.
        threads: the most that were seen in it at rest.
    """

    process: psutil.Process
    conversation: Conversation | None = None
    threads: int = 0

    @property
    def agent(self) -> Conversation:
        """The same conversation, where each process is known to have one."""
        assert self.conversation is not None  # noqa: S101 - a mistake of a developer
        return self.conversation

    def let_go(self) -> None:
        """Hang up."""
        if self.conversation is not None:
            self.conversation.close()
        self.conversation = None


class Workers(Visited):
    """One process or several; to be opened by `_gather`, and closed.

    Args:
        called: what sentences call them.
        attach_s: seconds that the main thread of a process gets to let an agent in, where it has none; None to put none
            into any.

    Attributes:
        instrumented: whether there is an agent in each of them.
        without: the numbers of those that have none.
    """

    def __init__(self, called: str, *, attach_s: float | None) -> None:
        super().__init__(called)
        self._attach_s = attach_s
        self._waiting: Waiting | None = None
        self._members: list[_Member] = []
        self.without: tuple[int, ...] = ()

    @abstractmethod
    def _serving(self) -> list[psutil.Process]:
        """The processes that serve by now."""

    @abstractmethod
    def _are_the_same(self, members: Sequence[psutil.Process]) -> bool:
        """Whether no others serve than these, all of which run: a quick look."""

    @abstractmethod
    def _connections(self) -> int:
        """How many connections the clients have open."""

    @property
    def members(self) -> list[psutil.Process]:
        """The processes."""
        return [one.process for one in self._members]

    def floor(self, *, threads: int | None = None, settle_s: float | None = None) -> FloorReading:
        """The memory at rest of all of them; without instruments it is read from outside."""
        self._require_the_same()
        if self.instrumented:
            return self._inside(settle_s, wait=threads is not None)
        drain_s = max(settle_s or 0.0, SETTLING.drain_s)
        others = self._others  # of other clients, before there was any load
        wait_until(lambda: self._connections() <= others, timeout_s=drain_s)
        reading = rest(self._families, drain_s)
        self._require_the_same()
        return reading

    def alive(self) -> bool:
        """Whether one of them still runs, or another may take its place."""
        return any(map(runs, self.members)) or self._may_come_back()

    def close(self) -> None:
        """Let go of them; may be called again."""
        self._let_go()

    def _let_go(self) -> None:
        for one in self._members:
            one.let_go()

    def _gather(self, found: Sequence[psutil.Process], *, for_now: bool = False) -> None:
        """Take these processes for those that serve, and talk to the agents in them.

        Args:
            found: they.
            for_now: whether those that have no agent may have one later, so that the others are not let go.

        Raises:
            CannotAttach: one that has none could not be given one.
        """
        known = {one.process: one for one in self._members}
        for process, member in known.items():
            if process not in found:
                member.let_go()
        self._members = [known.get(process) or _Member(process) for process in found]
        try:
            for one in self._members:
                self._link(one)
        except NotAttachable as error:
            self.missing = or_listen(error)
        self.without = tuple(one.process.pid for one in self._members if one.conversation is None)
        self.pids = tuple(one.process.pid for one in self._members)
        self.instrumented = not self.without
        self.missing = "" if self.instrumented else self.missing
        if self.without and not for_now:
            self._let_go()
        self._others = self._connections()

    def _link(self, member: _Member) -> None:
        process = member.process
        if member.conversation is None:
            member.conversation = converse(
                process,
                lambda: runs(process),
                lambda: _Ended(f"Process {process.pid} has ended."),
                attach_s=self._attach_s,
                waiting=self._waiting,
                **self._printing(),
            )

    def _printing(self) -> dict[str, Callable[[], str]]:
        """What tells the last output, as an argument of `converse`; nothing where that goes elsewhere."""
        return {}

    def _require_the_same(self) -> None:
        """Go on with those that serve by now.

        Raises:
            Regrouped: they are others.
            CannotRun: none do.
        """
        members = self.members
        if not (all(map(runs, members)) and self._are_the_same(members)):
            self._regroup()

    def _regroup_after_an_end(self) -> NoReturn:
        """One has hung up: its process has ended, or will have in a moment."""
        if not wait_until(lambda: not all(map(runs, self.members)), timeout_s=_HUNG_UP_S):
            raise self.death()
        self._regroup()

    def _regroup(self) -> NoReturn:
        was_instrumented, deadline = self.instrumented, time.monotonic() + _REPLACED_S
        while time.monotonic() < deadline:
            found = self._steadily_serving()
            if found:
                self._gather(found, for_now=was_instrumented)
                if self.instrumented or not was_instrumented:
                    raise Regrouped
            elif not self._may_come_back():
                break
            time.sleep(_POLL_S)
        if self.without and any(map(runs, self.members)):
            raise CannotRun(f"Process {self.without[0]} has taken the place of another, and runs no instruments.")
        raise self.death()

    @abstractmethod
    def _may_come_back(self) -> bool:
        """Whether others may serve in a moment, where none do."""

    def _steadily_serving(self) -> list[psutil.Process]:
        """Those that serve now, and served a moment ago; none where they differ."""
        before = self._serving()
        time.sleep(_STEADY_S)
        return before if before and set(before) == set(self._serving()) else []

    def _inside(self, settle_s: float | None, *, wait: bool) -> FloorReading:
        """All at once, for each waits until it is at rest."""
        questions = [
            {"threads": (one.threads or None) if wait else None} | ({} if settle_s is None else {"settle_s": settle_s})
            for one in self._members
        ]
        answers = self._together("floor", questions, ANSWER_TIMES.prompt_s)
        readings = [FloorReading.from_json(answer) for answer in answers]
        for one, reading in zip(self._members, readings, strict=True):
            one.threads = max(one.threads, reading.threads)
        return readings[0] if len(readings) == 1 else floor_of(readings)

    def _ask(self, command: str, arguments: dict[str, Any], within_s: float) -> Any:
        """Ask one after another: a look takes memory."""
        self._require_the_same()
        self.require_instruments(command)
        if self.processes > 1 and command not in MERGED:
            known = ", ".join(map(str, self.pids))
            raise CannotRun(f"{self.processes} processes serve {self.url}: name one of them, as pid:N ({known}).")
        try:
            answers = [one.agent.ask(command, arguments, within_s) for one in self._members]
        except _Ended:
            self._regroup_after_an_end()
        return answers[0] if len(answers) == 1 else merged(command, self.pids, answers)

    def _together(self, command: str, questions: Sequence[dict[str, Any]], within_s: float) -> list[Any]:
        """Ask all, then hear all."""
        asked: list[Conversation] = []
        answers: list[Any] = []
        try:
            for one, arguments in zip(self._members, questions, strict=True):
                one.agent.put(command, arguments)
                asked.append(one.agent)
            while asked:
                answers.append(asked.pop(0).take(command, within_s))
        except _Ended:
            for conversation in asked:
                conversation.skip()
            self._regroup_after_an_end()
        return answers

    def _families(self) -> Iterator[psutil.Process]:
        """The processes that serve and all that they have started."""
        seen = set()
        for process in self.members:
            family = [process]
            with contextlib.suppress(psutil.Error):
                family += process.children(recursive=True)
            for member in family:
                if member.pid not in seen:
                    seen.add(member.pid)
                    yield member
