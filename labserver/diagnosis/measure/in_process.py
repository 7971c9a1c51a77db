"""The same check inside this process: a callable is the job, and the verdict and the holders come the same way."""

import contextlib
import inspect
import os
import sys
import time
import tracemalloc
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self, Unpack

from labserver.diagnosis.decide.decision import TIMING
from labserver.diagnosis.instruments import commands
from labserver.diagnosis.measure.check import measure
from labserver.diagnosis.measure.driver import Driver, TimeIsUp
from labserver.diagnosis.measure.heuristics import Counting, Heuristics
from labserver.diagnosis.measure.options import MeasureKeywords, MeasureOptions, OnProgress, spells_out_options
from labserver.diagnosis.result import CheckResult
from labserver.errors import UsageError
from labserver.heap.activity import acts_by_itself
from labserver.heap.agent import memory_commands
from labserver.heap.analyst import notebook_is_measured
from labserver.heap.interpreter import require_global_lock
from labserver.heap.is_a import is_a
from labserver.heap.meters import ALONE, SETTLING, Settling
from labserver.targets.instrumented import Instrumented

_SAY_S = 0.5
_STALL_MS = 60_000.0  # whoever calls this waits for it anyway
# Where jobs take no time, a check lasts as long as its looks: one before the first decision is enough, for what that
# leaves unsure gets more jobs, and a look at each decision. Not where a thread or a timer may sweep: fewer looks
# may take a sawtooth for a leak (tests/bench/verdict_simulate.py, swept).
_HEURISTICS = Heuristics(counting=Counting(every_floors=TIMING.first_floors - 1))


@spells_out_options
def leak_check(
    body: Callable[[], object],
    *,
    name: str | None = None,
    on_progress: OnProgress | None = None,
    heuristics: Heuristics | None = None,
    **options: Unpack[MeasureKeywords],
) -> CheckResult:
    """Call something over and over, and say whether this process keeps memory of every call, and who holds it.

    What the calls return is dropped, what they print is not shown, and the warnings that they give are not kept. The
    calling frames, IPython's memories and the instruments' own state are no part of what is measured.

    Args:
        body: one job. What it raises ends the check and goes through to the caller.
        name: what the answer calls it; the callable's own name if not given.
        on_progress: called twice a second, and at each floor.
        heuristics: the figures by which the check is done, where they are others than usual.
        **options: see `MeasureOptions`; a look may hold this process up for a minute unless `stall_ms` says otherwise.

    Raises:
        UsageError: an option makes no sense, or the body is a coroutine function or gives back a coroutine.

    Example:
        >>> kept = []
        >>> leak_check(lambda: kept.append(bytes(2000))).verdict
        <Verdict.LEAK: 'leak'>
    """
    if inspect.iscoroutinefunction(body):
        raise UsageError("The body is a coroutine function: give a function that runs it, such as with asyncio.run.")
    title = name or str(getattr(body, "__qualname__", type(body).__qualname__))
    wanted = MeasureOptions(**({"stall_ms": _STALL_MS} | options))
    wanted.validate()
    require_global_lock()
    with _quiet() as forget, _shown(title, body), notebook_is_measured(), _ThisProcess() as process:
        loop = _Loop(body, forget, wanted, on_progress or (lambda _: None))
        figures = heuristics or (Heuristics() if process.acts_by_itself else _HEURISTICS)
        return measure(wanted, process, loop, name=title, heuristics=figures)


class _ThisProcess(Instrumented):
    """The instruments of this process, asked as those of a child are; traces that somebody else began go on."""

    instrumented = True

    @property
    def acts_by_itself(self) -> bool:
        """Whether anything can happen while the jobs' own thread rests."""
        return acts_by_itself()

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        self._traced_before = tracemalloc.is_tracing()
        self._commands = memory_commands(lambda: 0, _settling) | commands()
        return self

    def __exit__(self, *_: object) -> None:
        self._commands.clear()  # the baseline goes with them
        if tracemalloc.is_tracing() and not self._traced_before:
            tracemalloc.stop()

    def _ask(self, command: str, arguments: dict[str, Any], within_s: float) -> Any:  # noqa: ARG002 - a child's needs it
        return self._commands[command](**arguments)


def _settling() -> Settling:
    return SETTLING if acts_by_itself() else ALONE


class _Loop(Driver):
    """One call after another; a job that fails ends the check."""

    def __init__(
        self, body: Callable[[], object], forget: Callable[[], None], options: MeasureOptions, report: OnProgress
    ) -> None:
        super().__init__(options, time.monotonic(), report)
        self._said = time.monotonic()
        self._body = body
        self._forget = forget

    def drive(self, jobs: int) -> int:
        """Call the body so many times; see `Driver.drive`."""
        for _ in range(jobs):
            self._look_at_the_clock()
            # Called from here: whatever raises would keep a frame of ours for each job, if there were one.
            _refuse_coroutine(self._body())
            self._forget()
            self.jobs += 1
            if time.monotonic() - self._said > _SAY_S:
                self._said = time.monotonic()
                self.say()
        return jobs

    def rest(self, seconds: float) -> None:
        """Call nothing for a while; see `Driver.rest`."""
        time.sleep(seconds)
        self._look_at_the_clock()

    def _look_at_the_clock(self) -> None:
        if self.seconds() > self._options.max_seconds:
            raise TimeIsUp


def _refuse_coroutine(result: object) -> None:
    if is_a(result, types.CoroutineType):  # that nobody awaits it is a warning, which would not be seen
        result.close()
        raise UsageError("The body gives back a coroutine: give a function that runs it, such as with asyncio.run.")


@contextmanager
def _quiet() -> Iterator[Callable[[], None]]:
    """Keep nothing of what the jobs print and warn of: whoever captures it would grow with every job.

    Yields:
        What forgets the warnings so far.
    """
    with ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123 - no path of the user's
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        yield stack.enter_context(warnings.catch_warnings(record=True)).clear


@contextmanager
def _shown(title: str, body: Callable[[], object]) -> Iterator[None]:
    """Name the body by a module of its own: what its closure holds is otherwise known to the calling frames alone."""
    module = types.ModuleType(f"({title})")  # no importable name, so it takes no other module's place
    module.__dict__["body"] = body
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        del sys.modules[module.__name__]
