"""The crash aid: a heap file once the process comes near its memory limit, while there is still room to write it."""

import contextlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from labserver.errors import LabserverError, UsageError
from labserver.files import require_writable
from labserver.heap.file.saving import save_heap
from labserver.heap.memory_limits import fullness

_EVERY_S = 0.5
_THREAD = "labserver-monitor"  # the walk leaves out threads of this name
_log = logging.getLogger("labserver")


def watch_the_limit(path: Path, *, at: float, fullness: Callable[[], float | None] = fullness) -> None:
    """Write the heap to a file, once, as soon as a share of the memory limit is taken; from a thread of its own.

    The child that writes it shares a control group's limit: where there is no room for it, nothing is written, and the
    log says so with the figures.

    Args:
        path: the file; one that is there already is replaced.
        at: share of the limit, between 0 and 1.
        fullness: the share that is taken; None where there is no limit.

    Raises:
        UsageError: the share is none, or the file cannot be written.
    """
    if not 0 < at < 1:
        raise UsageError(f"listen(at={at}) is no share of the memory limit: give one between 0 and 1, such as 0.9.")
    require_writable(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} cannot be written: it is no file.")
    pid = os.getpid()

    def watch() -> None:
        # In a process that is forked from this one the thread is not there, and its limit may be another.
        while os.getpid() == pid:
            taken = fullness()
            if taken is not None and taken >= at:
                _dump(path, taken)
                return
            time.sleep(_EVERY_S)

    threading.Thread(target=watch, name=_THREAD, daemon=True).start()


def _dump(path: Path, taken: float) -> None:
    """Write it, whole or not at all; whatever goes wrong must not be the application's."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                saved = save_heap(file, target=f"at {taken:.0%} of the memory limit")
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    except (LabserverError, OSError, MemoryError, RuntimeError) as error:
        _log.warning("labserver wrote no heap file at %.0f %% of the memory limit: %s.", 100 * taken, error)
    else:
        _log.warning(
            "labserver wrote %s at %.0f %% of the memory limit: %s objects.", path, 100 * taken, f"{saved.objects:,}"
        )
