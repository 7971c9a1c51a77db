"""The process of a service that is to meet a limit, started by `labserver.incident.hosting.limited`.

It serves the service of its first argument, writes the port as one line, and ends at once when its parent is gone.
"""

import contextlib
import json
import os
import select
import sys

from labserver.incident.hosting.embedded import embedded
from labserver.incident.service.settings import Settings

_WATCH_S = 0.5


def main() -> None:
    """Serve until the standard input ends or the parent does."""
    with embedded(Settings(**json.loads(sys.argv[1]))) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        _await_end(os.getppid())
        # Not by the way out of the block: a service without memory may not find it.
        os._exit(0)


def _await_end(parent: int) -> None:
    ended = False
    while not ended and os.getppid() == parent:
        with contextlib.suppress(MemoryError):
            readable, _, _ = select.select([0], [], [], _WATCH_S)
            ended = bool(readable) and not os.read(0, 1)
