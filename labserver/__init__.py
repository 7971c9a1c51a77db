"""Does my service leak memory, who holds the bytes, and is the fix really a fix?"""

import importlib
from typing import Any

__version__ = "0.2.0"


def load_ipython_extension(shell: Any) -> None:
    """Register `%leakcheck` and `%%leakcheck`; IPython calls it for `%load_ext labserver`."""
    importlib.import_module("labserver.plugins.ipython").register(shell)


def listen() -> None:
    """Let `labserver check http://127.0.0.1:PORT` and `labserver check pid:N` use every instrument in this process.

    To be called in a service while it starts; a second call does nothing. Where a server forks its workers, call it in
    each of them (gunicorn: in `post_fork`). A thread then waits at a Unix socket in a directory that only this user can
    enter; it costs nothing until somebody asks, and opens no port.

    Raises:
        labserver.errors.CannotRun: there is no private place for the socket.
    """
    from labserver.targets import listening  # noqa: PLC0415 - the version alone must not import the instruments

    listening.listen("labserver.diagnosis.instruments:commands")
