"""What can be checked, by one spelling: an application to be started, or a service that runs already."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from labserver.errors import UsageError
from labserver.targets.attach.refusal import CannotAttach
from labserver.targets.child import START_S, child, is_application
from labserver.targets.instrumented import Target
from labserver.targets.running import Running, at_port, of_pid

_SPELLINGS = "module:attribute (such as shop.app:create_app), http://127.0.0.1:PORT or pid:NUMBER"


@dataclass(frozen=True, slots=True)
class Spec:
    """A target as it was spelt: one of its three fields is set.

    Attributes:
        application: `module:attribute`.
        address: host and port of a service on this machine.
        pid: the process of one.
    """

    application: str | None = None
    address: tuple[str, int] | None = None
    pid: int | None = None


def parse_target(text: str) -> Spec:
    """What a target's spelling means.

    Raises:
        UsageError: it is spelt in no known way, or names another machine.
    """
    if text.startswith(("http://", "https://")):
        return Spec(address=_address(text))
    if text.startswith("pid:"):
        number = text.removeprefix("pid:")
        if not number.isdecimal() or not int(number):
            raise UsageError(f"{text!r} is no process: give it as pid:NUMBER, such as pid:4711.")
        return Spec(pid=int(number))
    file, _, attribute = text.partition(":")
    is_file = file.endswith(".py") and Path(file).is_file()
    if is_file or not is_application(text):
        meant = f"{file.removesuffix('.py').strip('./').replace('/', '.')}:{attribute or 'app'}"
        if file.endswith(".py") and is_application(meant):
            raise UsageError(f"{text!r} is a file: did you mean {meant}, from the working directory?")
        raise UsageError(f"{text!r} is no target: give it as {_SPELLINGS}.")
    return Spec(application=text)


@contextmanager
def open_target(
    spec: str,
    *,
    http_threads: int = 4,
    instruments: str | None = None,
    start_s: float = START_S,
    attach_s: float | None = None,
) -> Iterator[Target]:
    """Have a target ready for load and questions, for the length of a `with` block.

    An application is started in a process of its own and ended afterwards. A service that runs already is found by the
    port it listens on, is only looked at, and runs on afterwards; where it has called `labserver.listen()`, or an agent
    may be put into it, every instrument works in it.

    Args:
        spec: `module:attribute`, `http://host:port` with a host of this machine, or `pid:N`.
        http_threads: requests that a started application handles at the same time.
        instruments: `module:callable` that gives a started application's process further commands.
        start_s: seconds that an application has to get ready.
        attach_s: seconds that a running service's main thread gets to let an agent in; None to put none into it.

    Raises:
        UsageError: the target is spelt in no known way, or names another machine.
        CannotRun: the application cannot be imported or does not get ready, no single service is found, or an agent
            could not be put into it.
    """
    parsed = parse_target(spec)
    if parsed.application is not None:
        with child(
            parsed.application, http_threads=http_threads, instruments=instruments, start_s=start_s
        ) as application:
            yield application
        return
    service = _running(parsed, attach_s)
    try:
        yield service
    finally:
        service.close()


def _running(spec: Spec, attach_s: float | None) -> Running:
    try:
        if spec.address is not None:
            return at_port(*spec.address, attach_s=attach_s)
        return of_pid(spec.pid or 0, attach_s=attach_s)
    except CannotAttach as error:  # under a load there is another way than looks
        raise CannotAttach(f"{str(error).removesuffix('.')}; --no-attach measures it from outside.") from None


def _address(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(f"{text!r} is no address: give it as http://127.0.0.1:PORT.") from None
    if parts.scheme == "https":
        raise UsageError(f"{text} is encrypted: give the plain address that the service itself listens on.")
    if not _is_loopback(host):
        raise UsageError(
            f"{text} is not known to be on this machine, where alone memory can be read: run the check beside the "
            "service, with http://127.0.0.1:PORT."
        )
    if port == 0 or parts.path.strip("/") or parts.query or parts.username:
        raise UsageError(f"{text!r} is no address of a service: give host and port alone, as http://127.0.0.1:8000.")
    return host, port or 80


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
