"""What the virtual users record while a run is under way: compact arrays, read out once at its end."""

import threading
from array import array

from labserver.load.answer import Answer
from labserver.load.http import INTERRUPTED, RequestRecord
from labserver.load.outputs import Outputs

MAX_NAMES = 64  # a journey that puts ids into its names must not grow the summary without bound
OTHER = "other"


class Samples:
    """The samples of one run, shared by all its users: about 80 bytes a request.

    Times are in seconds. A duration is infinite where the server gave no whole answer; an iteration keeps the time it
    took, and beside it whether it finished its job.

    Args:
        outputs: where each sample is written as it comes.
    """

    def __init__(self, outputs: Outputs | None = None) -> None:
        self._outputs = outputs or Outputs()
        self._lock = threading.Lock()
        self._name_codes: dict[str, int] = {}
        self.name_code = array("B")
        self.status = array("H")
        self.went_well = array("B")
        self.connecting = array("d")
        self.sending = array("d")
        self.waiting = array("d")
        self.receiving = array("d")
        self.duration = array("d")
        self.iteration_s = array("d")
        self.iteration_ok = array("B")
        self.png_bytes = array("Q")
        self.sent = self.received = 0
        self.interrupted = self.failed_checks = 0
        self.errors: dict[str, int] = {}
        self.checks: dict[str, list[int]] = {}
        self.first_failure: str | None = None
        self.first_reason: str | None = None
        self.first_failed_answer: Answer | None = None

    @property
    def names(self) -> list[str]:
        """The requests' names; `name_code` counts in this list."""
        return list(self._name_codes)

    def request(self, record: RequestRecord) -> None:
        """Take one request in."""
        if record.error == INTERRUPTED:
            return
        with self._lock:
            self.name_code.append(self._code(record.name))
            self.status.append(record.status or 0)
            self.went_well.append(record.went_well)
            self.connecting.append(record.connecting)
            self.sending.append(record.sending)
            self.waiting.append(record.waiting)
            self.receiving.append(record.receiving)
            self.duration.append(record.duration)
            self.sent += record.sent
            self.received += record.received
            if record.error is not None:
                self.errors[record.error] = self.errors.get(record.error, 0) + 1
            self._outputs.request(record)

    def check(self, name: str, ok: bool, why: str, answer: Answer | None = None) -> bool:
        """Count one check, keep why the run's first one failed, with its answer, and give the outcome back."""
        with self._lock:
            counts = self.checks.setdefault(name, [0, 0])
            counts[0 if ok else 1] += 1
            if not ok:
                self.failed_checks += 1
                if self.first_failure is None:
                    self.first_failure, self.first_reason = f"{name}: {why}", why
                    self.first_failed_answer = answer
            self._outputs.check(name, ok)
        return ok

    def iteration(self, seconds: float, ok: bool) -> None:
        """Take one finished iteration in, and whether it finished its job."""
        with self._lock:
            self.iteration_s.append(seconds)
            self.iteration_ok.append(ok)
            self._outputs.iteration(seconds)

    def tick(self, running: int) -> None:
        """Note how many users are at work; what was written so far can be read."""
        with self._lock:
            self._outputs.tick(running)

    def interruption(self) -> None:
        """Count one iteration that was cut off."""
        with self._lock:
            self.interrupted += 1

    def png(self, size: int) -> None:
        """Note the size of one picture that came back, bytes."""
        with self._lock:
            self.png_bytes.append(size)

    def _code(self, name: str) -> int:
        if name not in self._name_codes and len(self._name_codes) >= MAX_NAMES:
            name = OTHER
        return self._name_codes.setdefault(name, len(self._name_codes))
