"""``labserver serve``: the image-job service until Ctrl-C or SIGTERM."""

import click

from labserver.cli._until_stopped import until_stopped
from labserver.errors import UsageError

_HOST = "127.0.0.1"


@click.command("serve")
@click.option("--store", default="leaky", show_default=True, metavar="NAME", help="Retention policy of finished jobs.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option("--host", default=_HOST, show_default=True, help="The service listens on this machine only.")
@click.option("--ttl", default=600.0, show_default=True, metavar="SECONDS", help="Time to live of a result.")
@click.option("--sweep", default=60.0, show_default=True, metavar="SECONDS", help="Period between two sweeps.")
@click.option("--budget", default=256 * 2**20, show_default=True, metavar="BYTES", help="Most bytes of images kept.")
@click.option("--max-jobs", default=1000, show_default=True, metavar="N", help="Most finished jobs kept by lru-count.")
@click.option("--public-diagnostics", is_flag=True, help="Let others than this machine read /actuator.")
@click.option("--service-time", default=0.0, show_default=True, metavar="SECONDS", help="Wait per job.")
@click.option("--face-api", default="", metavar="URL", help="Where faces are composed.  [default: in this process]")
@click.option("--face-timeout", default=60.0, show_default=True, metavar="SECONDS", help="Time that it has for a face.")
@click.option("--http-threads", default=8, show_default=True, type=click.IntRange(1, 256), help="Size of the pool.")
def serve(  # noqa: PLR0913 - one argument an option
    *,
    store: str,
    port: int,
    host: str,
    ttl: float,
    sweep: float,
    budget: int,
    max_jobs: int,
    public_diagnostics: bool,
    service_time: float,
    face_api: str,
    face_timeout: float,
    http_threads: int,
) -> None:
    """Start the image-job service and print its URL.

    Stores: leaky, ttl, ttl-lazy, timer, scheduler, weak, soft, evict-on-fetch, lru-count, byte-budget, disk, redis.
    """
    from labserver.incident.hosting.embedded import embedded
    from labserver.incident.service.settings import Settings

    if host not in (_HOST, "localhost"):
        raise UsageError(f"The service listens on {_HOST} only, not on {host}: put a proxy in front of it.")
    settings = Settings(
        store=store,
        ttl_s=ttl,
        sweep_s=sweep,
        budget_bytes=budget,
        max_jobs=max_jobs,
        public_diagnostics=public_diagnostics,
        service_time_s=service_time,
        face_api=face_api,
        face_timeout_s=face_timeout,
    )
    with until_stopped() as stopped, embedded(settings, port=port, http_threads=http_threads) as server:
        click.echo(f"{server.url}  (store {store}; Ctrl-C stops it)")
        stopped.wait()
