"""A process that ends a command's processes where the check itself is gone and cannot."""

import contextlib
import os
import shutil
import signal
import sys

from labserver.processes.leftovers import TARGET, Mark
from labserver.processes.lifeline import Lifeline


def main() -> None:
    """Wait for the end of the check; its arguments are the mark's token and the folder to remove."""
    token, folder = sys.argv[1:]
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    Lifeline().wait()
    Mark(TARGET, token).end()
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
    os._exit(0)
