"""``labserver faceapi``: the AI service by itself until Ctrl-C or SIGTERM."""

import click

from labserver.cli._until_stopped import until_stopped


@click.command("faceapi")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option("--workers", default=4, show_default=True, metavar="N", help="Inferences at the same time.")
@click.option("--service-time", default=0.0, show_default=True, metavar="SECONDS", help="Least time of an inference.")
@click.option("--fail-every", default=0, show_default=True, metavar="N", help="Let every N-th fail; 0 lets none fail.")
def faceapi(*, port: int, workers: int, service_time: float, fail_every: int) -> None:
    """Start the AI service that composes the faces, for `labserver serve --face-api URL`, and print its URL."""
    from labserver.incident.hosting.face_api import embedded_face_api
    from labserver.incident.service.faceapi import FaceSettings

    settings = FaceSettings(service_time_s=service_time, workers=workers, fail_every=fail_every)
    with until_stopped() as stopped, embedded_face_api(settings, port=port) as server:
        click.echo(f"{server.url}  ({workers} workers; Ctrl-C stops it)")
        stopped.wait()
