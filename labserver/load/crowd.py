"""N virtual users in N threads, and the rules by which a run of them ends."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import psutil

from labserver.errors import CannotRun
from labserver.load.http import INTERRUPTED, TIMED_OUT, RequestRecord, timed_session
from labserver.load.journey import CutShortError, Journey, Outcome
from labserver.load.outputs import Outputs
from labserver.load.progress import Progress
from labserver.load.samples import Samples
from labserver.load.summarise import summarise
from labserver.load.summary import Summary
from labserver.load.threshold_check import judge
from labserver.load.thresholds import Threshold

TICK_S = 0.5
MakeJourney = Callable[[Samples, threading.Event], Journey]


class Budget:
    """How many iterations may still begin: a number shared by all users, or as many as fit before a deadline."""

    def __init__(self, iterations: int | None, duration_s: float | None) -> None:
        self.closed = threading.Event()
        self.deadline = None if duration_s is None else time.monotonic() + duration_s
        self._left = iterations
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Claim one iteration; False when none may begin any more."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.closed.set()
        with self._lock:
            if self.closed.is_set():
                return False
            if self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    self.closed.set()
            return True


class User:
    """One virtual user: a session of its own, kept from run to run."""

    def __init__(self, name_request: Callable[[str, str], str] | None, timeout_s: float) -> None:
        self.samples = Samples()
        self.session, self.adapter = timed_session(self._record, name_request, timeout_s)

    def _record(self, record: RequestRecord) -> None:
        self.samples.request(record)


class Crowd:
    """The users of one worker process.

    Args:
        base_url: the server, without a slash at its end.
        users: how many.
        timeout_s: seconds that a request may take.
        make_journey: builds the journey of a run, for its samples and the event that cuts it short.
        name_request: names requests, see `timed_session`.
        outputs: where the samples are written as they come.
        thresholds: what the summary is held against.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each is a part of the load
        self,
        base_url: str,
        users: int,
        timeout_s: float,
        make_journey: MakeJourney,
        name_request: Callable[[str, str], str] | None,
        outputs: Outputs | None = None,
        thresholds: Sequence[Threshold] = (),
    ) -> None:
        self._outputs, self._thresholds = outputs, thresholds
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._make_journey = make_journey
        self._users = [User(name_request, timeout_s) for _ in range(users)]

    def run(
        self,
        budget: Budget,
        graceful_stop_s: float,
        wake: threading.Event,
        stopped: Callable[[], bool],
        report: Callable[[Progress], None],
    ) -> Summary:
        """Let the users work until the budget is spent and their iterations are finished or cut off.

        Args:
            budget: how many iterations may begin.
            graceful_stop_s: seconds that iterations under way have after a deadline.
            wake: set by the caller when `stopped` may have changed.
            stopped: whether to end the run at once.
            report: told the progress twice a second.

        Raises:
            CannotRun: a user could not be stopped, or broke down.
        """
        run = _Run(self._users, self._make_journey, self._base_url, budget, wake, Samples(self._outputs))
        wake.clear()  # the command that began this run set it
        run.start()
        while run.running():
            wake.wait(run.next_wait(graceful_stop_s))
            wake.clear()
            if stopped() or run.is_over(graceful_stop_s):
                run.cut_short(self._timeout_s + 1)
                break
            run.abort_overdue(self._timeout_s)
            report(run.progress())
        run.join()
        # A server keeps an open connection's buffers, up to a photograph each: between runs there are none.
        for user in self._users:
            user.session.close()
        report(run.progress())
        return run.summary(self._thresholds)

    def close(self) -> None:
        """Close the files that the samples went to."""
        if self._outputs is not None:
            self._outputs.close()


class _Run:
    """One run: its threads, its samples, its clock."""

    def __init__(  # noqa: PLR0913, PLR0917 - the same
        self,
        users: list[User],
        make_journey: MakeJourney,
        base_url: str,
        budget: Budget,
        wake: threading.Event,
        samples: Samples,
    ) -> None:
        self._users = users
        self._budget = budget
        self._wake = wake
        self._base_url = base_url
        self._samples = samples
        self._cut = threading.Event()
        self._journey = make_journey(self._samples, self._cut)
        self._threads = [threading.Thread(target=self._work, args=(user,), daemon=True) for user in users]
        self._process = psutil.Process()
        self._peak_rss = 0
        self._ended = 0.0
        self._breakdown: Exception | None = None

    def start(self) -> None:
        self._cpu_began = time.process_time()
        self._began = time.monotonic()
        for user, thread in zip(self._users, self._threads, strict=True):
            user.samples = self._samples
            thread.start()

    def running(self) -> int:
        return sum(thread.is_alive() for thread in self._threads)

    def next_wait(self, graceful_stop_s: float) -> float:
        """Seconds to the next look: half a second, less when a deadline is nearer."""
        if self._budget.deadline is None:
            return TICK_S
        now = time.monotonic()
        instants = (self._budget.deadline, self._budget.deadline + graceful_stop_s)
        return min([TICK_S, *(instant - now for instant in instants if instant > now)])

    def is_over(self, graceful_stop_s: float) -> bool:
        """Whether the deadline has passed, and the graceful stop too."""
        if self._budget.deadline is None or time.monotonic() < self._budget.deadline:
            return False
        self._budget.closed.set()
        return time.monotonic() >= self._budget.deadline + graceful_stop_s

    def cut_short(self, within_s: float) -> None:
        """End every iteration at once."""
        self._budget.closed.set()
        self._cut.set()
        deadline = time.monotonic() + within_s
        while self.running() and time.monotonic() < deadline:
            for user in self._users:
                user.adapter.abort(INTERRUPTED)
            for thread in self._threads:
                thread.join(0.02)
        if self.running():
            raise CannotRun(f"{self.running()} virtual users could not be stopped: their journey does not return.")

    def abort_overdue(self, timeout_s: float) -> None:
        # A socket's timeout starts anew with each byte: a server that dribbles would never meet it.
        for user in self._users:
            user.adapter.abort(TIMED_OUT, older_than_s=timeout_s)

    def progress(self) -> Progress:
        elapsed = time.monotonic() - self._began
        iterations = len(self._samples.iteration_s)
        # Sampled, because the kernel's own peak is inherited from the parent that forked this process.
        self._peak_rss = max(self._peak_rss, self._process.memory_info().rss)
        self._samples.tick(self.running())
        return Progress(elapsed, iterations, self.running(), self._samples.failed_checks, iterations / elapsed)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        if self._breakdown is not None:
            what = f"{type(self._breakdown).__name__}: {self._breakdown}"
            raise CannotRun(f"A virtual user broke down ({what}).") from self._breakdown

    def summary(self, thresholds: Sequence[Threshold]) -> Summary:
        cpu_s = time.process_time() - self._cpu_began
        elapsed_s = self._ended - self._began
        users = len(self._users)
        summary = summarise(self._samples, vus=users, elapsed_s=elapsed_s, cpu_s=cpu_s, peak_rss=self._peak_rss)
        return replace(summary, thresholds=judge(thresholds, self._samples, elapsed_s))

    def _work(self, user: User) -> None:
        try:
            while self._budget.take():
                self._iterate(user)
        except CutShortError:
            self._samples.interruption()
        except Exception as error:  # noqa: BLE001 - a user fewer, unnoticed, would make every figure wrong
            self._breakdown = error
            self._budget.closed.set()
        finally:
            self._ended = time.monotonic()
            self._wake.set()

    def _iterate(self, user: User) -> None:
        began = time.monotonic()
        result = self._journey(user.session, self._base_url)
        outcome = result if isinstance(result, Outcome) else Outcome(ok=True)
        self._samples.iteration(time.monotonic() - began, outcome.ok)
        if outcome.pause_s:
            self._budget.closed.wait(outcome.pause_s)
