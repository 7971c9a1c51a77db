"""``labserver serve``: the image-job service until Ctrl-C or SIGTERM."""

import signal
import threading

import click

from labserver.errors import UsageError

_HOST = "127.0.0.1"


@click.command("serve")
@click.option("--store", default="leaky", show_default=True, metavar="NAME", help="Retention policy of finished jobs.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option("--host", default=_HOST, show_default=True, help="The service listens on this machine only.")
@click.option("--ttl", default=600.0, show_default=True, metavar="SECONDS", help="Time to live of a result.")
@click.option("--sweep", default=60.0, show_default=True, metavar="SECONDS", help="Period between two sweeps.")
@click.option("--service-time", default=0.0, show_default=True, metavar="SECONDS", help="Wait per job.")
def serve(*, store: str, port: int, host: str, ttl: float, sweep: float, service_time: float) -> None:  # noqa: PLR0913 - one argument an option
    """Start the image-job service and print its URL."""
    from labserver.service.settings import Settings
    from labserver.targets.embedded import embedded

    if host not in (_HOST, "localhost"):
        raise UsageError(f"The service listens on {_HOST} only, not on {host}: put a proxy in front of it.")
    settings = Settings(store=store, ttl_s=ttl, sweep_s=sweep, service_time_s=service_time)
    stopped = threading.Event()
    # Set before the server starts, so that no signal finds it without somebody to close it.
    previous = {n: signal.signal(n, lambda *_: stopped.set()) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        with embedded(settings, port=port) as server:
            click.echo(f"{server.url}  (store {store}; Ctrl-C stops it)")
            stopped.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
