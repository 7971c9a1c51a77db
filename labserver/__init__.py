"""Does my service leak memory, who holds the bytes, and is the fix really a fix?"""

import importlib
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labserver.counted_requests import AsgiApplication, CountedAsgi, CountedWsgi, WsgiApplication

__version__ = "0.2.0"


def load_ipython_extension(shell: Any) -> None:
    """Register `%leakcheck` and `%%leakcheck`; IPython calls it for `%load_ext labserver`."""
    importlib.import_module("labserver.plugins.ipython").register(shell)


def listen(*, dump_on_oom: str | PathLike[str] | None = None, at: float = 0.9) -> None:
    """Let `labserver check http://127.0.0.1:PORT` and `labserver check pid:N` use every instrument in this process.

    To be called in a service while it starts; a second call does nothing. Where a server forks its workers, call it in
    each of them (gunicorn: in `post_fork`). A thread then waits at a Unix socket in a directory that only this user can
    enter; it costs nothing until somebody asks, and opens no port.

    Args:
        dump_on_oom: a file to which the heap is written, once, when the process comes near the memory limit of its
            control group or of its own, and where that leaves room for it; `{pid}` in its name is the process's number.
        at: the share of that limit at which this is done.

    Raises:
        labserver.errors.CannotRun: there is no private place for the socket.
        labserver.errors.UsageError: the file cannot be written, or the share is none.
    """
    from labserver.targets import listening  # noqa: PLC0415 - the version alone must not import the instruments

    listening.listen("labserver.diagnosis.instruments:commands", dump_on_oom=dump_on_oom, at=at)


def wsgi(application: "WsgiApplication") -> "CountedWsgi":
    """The same WSGI application with its requests counted, for `labserver check … --observe` and `labserver watch`.

    To be put around an application whose server does not count: `app.wsgi_app = labserver.wsgi(app.wsgi_app)`.
    """
    from labserver.counted_requests import CountedWsgi  # noqa: PLC0415 - the version alone must not import it

    return CountedWsgi(application)


def asgi(application: "AsgiApplication") -> "CountedAsgi":
    """The same ASGI application with its requests counted: `app = labserver.asgi(app)`."""
    from labserver.counted_requests import CountedAsgi  # noqa: PLC0415 - the same

    return CountedAsgi(application)
