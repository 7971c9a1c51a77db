"""The running parts of the service as one object: what the routes use and what a host starts and stops."""

import functools
import threading
from collections.abc import Callable
from typing import cast

from flask import Flask, current_app

from labserver.incident.service.clock import AdjustableClock, Clock
from labserver.incident.service.face import Closing, compose, largest_png_bytes
from labserver.incident.service.face_client import FaceClient
from labserver.incident.service.ids import JobIds
from labserver.incident.service.job_queue import Compose, JobQueue
from labserver.incident.service.memory import Memory
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import create_store
from labserver.job_counters import RUNNING

EXTENSION = "labserver"
# Ids and results are stamped to the second or better; this is safely past any rounding.
_EXPIRY_MARGIN_S = 1.0


class Service:
    """The store, the queue and the clock behind one application.

    Attributes:
        settings: What was asked for.
        clock: The time that jobs are stamped and aged with.
        store: The retention policy.
        queue: The workers.
        ids: Issues and verifies job ids.
        memory: Measures the process's memory.
    """

    def __init__(self, settings: Settings, clock: Clock, memory: Memory = tuple) -> None:
        self.settings = settings
        self.clock = clock
        self.memory = memory
        self.store = create_store(settings, clock)
        self.ids = JobIds(clock)
        self._stopping = threading.Event()
        self._compose, interrupt = _composer(settings)
        self.queue = JobQueue(
            self.store,
            clock,
            self._compose,
            workers=settings.workers,
            queue_size=settings.queue_size,
            service_time_s=settings.service_time_s,
            interrupt=interrupt,
        )

    def start(self) -> None:
        """Start the workers and whatever the store does by itself."""
        self.store.start()
        self.queue.start()
        RUNNING.add(self)

    def compose(self, parent_a: bytes, parent_b: bytes) -> bytes:
        """Compose a face in the calling thread, after the wait that each job has too.

        Raises:
            ComposeError: There is no face; `Closing` where `interrupt` is why.
        """
        if self._stopping.wait(self.settings.service_time_s):
            raise Closing
        return self._compose(parent_a, parent_b)

    def interrupt(self) -> None:
        """End every wait, in whichever thread: no more faces are composed."""
        self._stopping.set()
        self.queue.stop()

    def close(self) -> None:
        """Stop all threads, drop queued jobs and empty the store; a closed service is not started again."""
        self._stopping.set()
        RUNNING.discard(self)
        try:
            self.queue.close()  # first, so that no worker writes into a closed store
        finally:
            self.store.close()

    def live_jobs(self) -> int:
        """Return how many jobs the store keeps, in whatever state."""
        return len(self.store)

    def finished_jobs(self) -> int:
        """Return how many jobs have ended since the start, done or failed, kept or not."""
        return self.queue.finished

    def idle(self) -> bool:
        """Return whether nothing is queued or running."""
        return self.queue.idle()

    def expire(self) -> int:
        """Let every finished result grow older than the time to live, sweep, and return how many jobs were removed.

        With a clock that cannot be advanced, only what is old enough already goes.
        """
        if isinstance(self.clock, AdjustableClock):
            self.clock.advance(self.settings.ttl_s + _EXPIRY_MARGIN_S)
        return self.store.sweep()


def _composer(settings: Settings) -> tuple[Compose, Callable[[], None]]:
    """Return what composes a face, here or elsewhere, and what ends its waiting for good."""
    if settings.face_api:
        client = FaceClient(
            settings.face_api,
            timeout_s=settings.face_timeout_s,
            max_image_bytes=largest_png_bytes(settings.result_px),
            max_pixels=settings.max_pixels,
        )
        return client.compose, client.close
    return functools.partial(compose, size_px=settings.result_px, max_pixels=settings.max_pixels), lambda: None


def service_of(app: Flask) -> Service:
    """Return the service that `create_app` put behind `app`."""
    return cast("Service", app.extensions[EXTENSION])


def current_service() -> Service:
    """Return the service behind the application that handles the current request."""
    return service_of(current_app)
