"""The incident's fix: finished jobs older than a time to live are swept out, period by period.

Promises: a result can be had for its whole time to live, as often as one likes; nothing finished is kept longer than
that and one sweep. Does not promise: a bound in bytes, which grow with the rate at which jobs arrive; nor that a result
was read before it goes. Between expiry and sweep a late client still gets its result.
"""

import logging
import threading

from labserver.incident.service.clock import Clock
from labserver.incident.service.stores.base import DictJobStore
from labserver.incident.service.stores.retention import Retention

_logger = logging.getLogger(__name__)


class TtlJobStore(DictJobStore):
    """Drops finished jobs at the first sweep after their age, counted from completion, exceeds the time to live.

    A result therefore lives for up to `ttl_s + sweep_s`. Pending and running jobs are never dropped, however old.
    """

    def __init__(self, retention: Retention, clock: Clock) -> None:
        super().__init__(retention, clock)
        self._stopping = threading.Event()
        self._sweeper: threading.Thread | None = None

    def sweep(self) -> int:
        """Remove finished jobs older than the time to live, and return how many they were."""
        with self._lock:
            expired = self._drop_expired()
            remaining = len(self._jobs)
        if expired:
            _logger.info("Removed %d expired jobs, %d remain", expired, remaining)
        return expired

    def start(self) -> None:
        """Start the sweeper thread."""
        self._stopping.clear()
        sweeper = threading.Thread(target=self._sweep_periodically, name="labserver-sweeper", daemon=True)
        sweeper.start()
        self._sweeper = sweeper  # only now: one that the system does not grant is none to join

    def close(self) -> None:
        """Stop the sweeper and keep nothing."""
        self._stopping.set()
        if self._sweeper is not None:
            self._sweeper.join()
            self._sweeper = None
        super().close()

    def _sweep_periodically(self) -> None:
        while not self._stopping.wait(min(self._retention.sweep_s, threading.TIMEOUT_MAX)):
            self.sweep()
