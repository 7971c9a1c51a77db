"""The service in a process of its own, whose memory can be limited while it runs.

The limit is that of its address space (RLIMIT_AS, see setrlimit(2)): an allocation that would exceed it fails, and
Python raises MemoryError. Linux enforces it, macOS does not. What counts is what is *reserved*: by default glibc
reserves 64 MiB for each thread's own arena, used or not, and a store that fills a reserve does not grow. The process
therefore runs with one arena for all threads (MALLOC_ARENA_MAX, see mallopt(3)).
"""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from labserver.errors import CannotRun
from labserver.incident.service.settings import Settings
from labserver.processes.helper import Helper
from labserver.system import LIMITS_ADDRESS_SPACE, address_space, limit_address_space
from labserver.system.facts import AddressSpace

_START_S = 60.0
_MALLOC = {"MALLOC_ARENA_MAX": "1"}


class LimitedServer:
    """A service in a process of its own; made by `limited_server`.

    Attributes:
        url: where it is served, without a trailing slash.
        port: the same, as a number.
        pid: its process id.
    """

    def __init__(self, settings: Settings) -> None:
        config = dataclasses.asdict(settings)
        self._helper = Helper(
            "labserver.incident.hosting.limited_host",
            json.dumps(config),
            what="The limited service",
            environment=_MALLOC,
        )
        self.pid = self._helper.pid
        self.port = 0
        self.url = ""

    def start(self) -> None:
        """Return when it serves.

        Raises:
            CannotRun: it does not get that far.
        """
        self.port = self._helper.receive(_START_S)
        self.url = f"http://127.0.0.1:{self.port}"

    def limit(self, room_bytes: int) -> int:
        """Let its address space grow by so much and no more.

        Returns:
            The limit in bytes.

        Raises:
            CannotRun: this system does not enforce one.
        """
        if not LIMITS_ADDRESS_SPACE:
            raise CannotRun("This system does not limit a process's address space: only Linux does.")
        limit = self.address_space().size + room_bytes
        limit_address_space(self.pid, limit)
        return limit

    def address_space(self) -> AddressSpace:
        """What the kernel says of the process; Linux only.

        Raises:
            CannotRun: the process has ended.
        """
        try:
            return address_space(self.pid)
        except OSError:
            raise CannotRun(f"The limited service has ended{self._helper.last_output()}.") from None

    def cpu_s(self) -> float:
        """CPU seconds that it has used so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._helper.alive()

    def close(self) -> None:
        """End it; nothing that it keeps is worth a long farewell. May be called again."""
        self._helper.close(0.0)


@contextmanager
def limited_server(settings: Settings) -> Iterator[LimitedServer]:
    """Serve the service from a process of its own, without a limit at first, and leave nothing behind.

    Args:
        settings: what to serve.

    Raises:
        CannotRun: it does not start.
    """
    server = LimitedServer(settings)
    try:
        server.start()
        yield server
    finally:
        server.close()
