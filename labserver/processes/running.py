"""Whether a process still runs."""

from contextlib import suppress

import psutil


def runs(process: psutil.Process) -> bool:
    """Whether a process is there and has not ended; one that nobody has reaped yet has."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
