"""A load that is under way, followed by the polls that it has written down so far."""

import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path

from labserver.incident.experiments.polling.measurements import read_polls
from labserver.load import Summary


@dataclass(frozen=True, slots=True)
class RunningLoad:
    """One group's load.

    Progress is counted in polls and not in seconds: however fast the machine is, as many are sent.

    Attributes:
        run: ends when all its clients have.
        file: where it writes its polls.
        look_s: seconds between two looks into the file; a load hands its samples to the system as often.
    """

    run: Future[Summary]
    file: Path
    look_s: float = 0.5

    @property
    def running(self) -> bool:
        """Whether a client is still at it."""
        return not self.run.done()

    def end_s(self, began: float, *, patience: int) -> float | None:
        """Wait until it has ended by itself, or has sent as many polls as there is patience for.

        Returns:
            Seconds after `began`, Unix time, at which it had ended; None where the patience was at an end.
        """
        while self.running:
            if len(read_polls(self.file)) >= patience:
                return None
            wait([self.run], timeout=self.look_s)
        return time.time() - began

    def wait_for_polls(self, since_s: float, *, polls: int) -> None:
        """Wait until it has sent so many polls since an instant, Unix time, or has ended by itself."""
        while self.running:
            sent = read_polls(self.file)
            if len(sent) - sent.until(since_s) >= polls:
                return
            wait([self.run], timeout=self.look_s)
