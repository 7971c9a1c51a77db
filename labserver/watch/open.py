"""From what the user wrote to what is watched."""

from urllib.parse import urlsplit

from labserver.errors import UsageError
from labserver.watch.endpoint import at_url
from labserver.watch.process import Process
from labserver.watch.sample import Source


def open_source(target: str, *, attach_s: float | None = None) -> Source:
    """The source that a URL or a process's number (also as pid:NUMBER) names.

    Args:
        target: the one or the other.
        attach_s: seconds that a process's main thread gets to let an agent in; None to put none into it.

    Raises:
        UsageError: it is neither.
        CannotRun: nothing can be read there.
    """
    number = target.removeprefix("pid:")
    if number.isdecimal() and int(number):
        return Process(int(number), attach_s=attach_s)
    try:
        parts = urlsplit(target)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            f"{target!r} cannot be watched: give http://host:port, the address of a metric, or a process's id."
        )
    return at_url(target)
