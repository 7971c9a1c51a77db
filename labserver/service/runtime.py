"""The running parts of the service as one object: what the routes use and what a host starts and stops."""

import functools
from typing import cast

from flask import Flask, current_app

from labserver.service.clock import AdjustableClock, Clock
from labserver.service.face import compose
from labserver.service.ids import JobIds
from labserver.service.jobs import JobQueue
from labserver.service.settings import Settings
from labserver.service.stores import create_store

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
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.store = create_store(settings, clock)
        self.ids = JobIds(clock)
        self.queue = JobQueue(
            self.store,
            clock,
            functools.partial(compose, size_px=settings.result_px, max_pixels=settings.max_pixels),
            workers=settings.workers,
            queue_size=settings.queue_size,
            service_time_s=settings.service_time_s,
        )

    def start(self) -> None:
        """Start the workers and whatever the store does by itself."""
        self.store.start()
        self.queue.start()

    def close(self) -> None:
        """Stop all threads, drop queued jobs and empty the store; a closed service is not started again."""
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


def service_of(app: Flask) -> Service:
    """Return the service that `create_app` put behind `app`."""
    return cast("Service", app.extensions[EXTENSION])


def current_service() -> Service:
    """Return the service behind the application that handles the current request."""
    return service_of(current_app)
