"""An AI service that is killed at random times, and comes back on the same port."""

import contextlib
import socket
from contextlib import ExitStack

import psutil

from labserver.incident.hosting.face_api import face_api_process


class FaceApiUnderFire:
    """A process of the AI service, or none just now; a `with` block ends it.

    Attributes:
        port: Where it serves.
        kills: How often it was killed.
        pids: All processes that there have been.
    """

    def __init__(self, **settings):
        self.port = 0
        self.kills = 0
        self.pids = []
        self._settings = settings
        self._stack = ExitStack()
        self._kept = ExitStack()
        self._process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        with ExitStack() as stack:
            # Bound and not listened on: while the process is away, its port is given to nobody else.
            kept = stack.enter_context(socket.socket())
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            kept.bind(("127.0.0.1", 0))
            self.port = kept.getsockname()[1]
            self._begin()
            self._kept = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()
        self._kept.close()

    def kill(self):
        """Kill it, whatever it is at."""
        self._process.kill()
        self._stack.close()
        self.kills += 1

    def revive(self):
        """Start it again."""
        self._begin()

    def under_fire(self, stop, rng, most_s):
        """Until told to stop, kill it within `most_s` seconds of its start; start it again within a quarter."""
        while not stop.wait(rng.uniform(0, most_s)):
            self.kill()
            stop.wait(rng.uniform(0, most_s / 4))
            self.revive()

    def orphans(self):
        """Return the processes that still run."""
        return [pid for pid in self.pids if _runs(pid)]

    def _begin(self):
        self._process = self._stack.enter_context(face_api_process(port=self.port, **self._settings))
        self.port = self._process.port
        self.pids.append(self._process.pid)


def _runs(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
