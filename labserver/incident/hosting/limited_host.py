"""The process of a service that is to meet a limit, started by `labserver.incident.hosting.limited`.

It serves the service of its first argument, writes the port as one line, and ends at once when its parent is gone.
"""

import json
import os
import sys

from labserver.incident.hosting.embedded import embedded
from labserver.incident.service.settings import Settings
from labserver.processes.lifeline import Lifeline


def main() -> None:
    """Serve until the standard input ends or the parent does."""
    lifeline = Lifeline()
    with embedded(Settings(**json.loads(sys.argv[1]))) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        lifeline.wait()
        # Not by the way out of the block: a service without memory may not find it.
        os._exit(0)
