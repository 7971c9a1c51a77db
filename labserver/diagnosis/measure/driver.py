"""The load of a check: jobs for the application, watched, counted and bounded in time."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from labserver.diagnosis.failure import Failure, end_of, has_traceback
from labserver.diagnosis.measure.options import CheckOptions, CheckProgress, MeasureOptions, OnProgress
from labserver.errors import CannotRun, UsageError
from labserver.heap.meters import wait_until
from labserver.load import Progress, Summary, VirtualUsers, virtual_users
from labserver.load.answer import Answer
from labserver.targets.instrumented import Target
from labserver.text import one_line

if TYPE_CHECKING:
    from labserver.stats.interval import Interval


_SLICE_S = 0.5
_SERVER_ERROR = 500
_LOGGED_WITHIN_S = 0.5


class TimeIsUp(Exception):  # noqa: N818 - an end that was asked for
    """The seconds of the check are over."""


class Driver(ABC):
    """Does jobs, counts them, and reports how far it is.

    Attributes:
        jobs: finished jobs since the last phase began to count.
        errors: those of them that failed.
        first_failure: why the first of them that failed did.
        concurrency: jobs under way at the same time.
        interval: bytes per job as far as known, for the report.
    """

    concurrency = 1

    def __init__(self, options: MeasureOptions, began: float, report: OnProgress) -> None:
        self.jobs = self.errors = 0
        self.first_failure: Failure | None = None
        self.interval: Interval | None = None
        self._began = began
        self._phase = "warming up"
        self._options = options
        self._report = report

    def seconds(self) -> float:
        """Seconds since the check began."""
        return time.monotonic() - self._began

    def begin(self, phase: str) -> None:
        """Name what is done now; the counts and what is known start anew."""
        self.jobs = self.errors = 0
        self.first_failure = self.interval = None
        self.name(phase)

    def name(self, phase: str) -> None:
        """Name what is done now."""
        self._phase = phase
        self.say()

    def say(self) -> None:
        """Report the progress."""
        self._report(CheckProgress(self._phase, self.jobs, self.seconds(), self.interval))

    @abstractmethod
    def drive(self, jobs: int) -> int:
        """Run so many jobs, and return how many of them went well.

        Raises:
            TimeIsUp: the check has run out of seconds; what was finished is counted.
            CannotRun: the application has died.
        """

    @abstractmethod
    def rest(self, seconds: float) -> None:
        """Let the application alone for a while.

        Raises:
            TimeIsUp: the check has run out of seconds.
            CannotRun: the application has died.
        """


class UsersDriver(Driver):
    """Lets the users work, and watches the process meanwhile."""

    def __init__(self, options: CheckOptions, process: Target, began: float, report: OnProgress) -> None:
        super().__init__(options, began, report)
        self.concurrency = options.users
        self.users: VirtualUsers
        self._process = process
        self._printed: Callable[[], str] | None = None

    def drive(self, jobs: int) -> int:
        """Run so many jobs; see `Driver.drive`."""
        self._printed = self._process.overhear()
        try:
            summary = self.users.run(iterations=jobs)
        except TimeIsUp:
            cut_short = self.users.interrupt()
            if cut_short is not None:
                self._count(cut_short)
            raise
        return self._count(summary)

    def rest(self, seconds: float) -> None:
        """Wait; see `Driver.rest`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_S))
            self._look_after()

    def watch(self, _: Progress) -> None:
        """Called twice a second while the users work, and at the end of each run."""
        self._look_after()
        self.say()

    def _look_after(self) -> None:
        if not self._process.alive():
            raise self._process.death()
        if self.seconds() > self._options.max_seconds:
            raise TimeIsUp

    def _count(self, summary: Summary) -> int:
        failed = sum(check.fails for check in summary.checks.values())
        self.jobs += summary.iterations
        self.errors += failed
        if self.first_failure is None and summary.first_reason is not None:
            self.first_failure = self._failure(summary.first_reason, summary.first_failed_answer)
        self.say()
        return summary.iterations - failed

    def _failure(self, reason: str, answer: Answer | None) -> Failure:
        why, printed = one_line(reason), self._printed
        if printed is None:
            return Failure(why, answer)
        if answer is None or answer.status >= _SERVER_ERROR:  # which some servers answer first and log afterwards
            wait_until(lambda: has_traceback(printed()), timeout_s=_LOGGED_WITHIN_S, poll_s=_LOGGED_WITHIN_S / 10)
        return Failure(why, answer, end_of(printed()))


@contextmanager
def driving(options: CheckOptions, process: Target, began: float, report: OnProgress) -> Iterator[UsersDriver]:
    """Users for the length of a `with` block.

    Raises:
        CannotRun: the users, or their journey, could not be set up.
    """
    driver = UsersDriver(options, process, began, report)
    users = virtual_users(
        process.url, options.users, journey=options.journey, requests=options.requests, on_progress=driver.watch
    )
    with ExitStack() as stack:
        try:
            driver.users = stack.enter_context(users)
        except UsageError as error:
            # A journey that an older revision does not have says nothing about that revision.
            raise CannotRun(str(error)) from error
        yield driver
