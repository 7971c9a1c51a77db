"""CPU time per request of the service, against bare Flask views that return the same bytes; both behind waitress.

Both applications run in this process, one after the other in each round, under the same client in another process; what
is printed is the ratio of their CPU times per request. Ratios compare on any machine, milliseconds do not.
"""

import argparse
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

from flask import Flask, Response, request
from waitress.server import create_server

from labserver.incident.service import Settings, create_app
from labserver.incident.service.job_queue import JobQueue
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.runtime import service_of

CLIENT = """
import sys, requests
method, url, count, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
photos = {name: open(f"{folder}/{file}", "rb").read()
          for name, file in (("parentA", "astronaut.jpg"), ("parentB", "photographer.jpg"))}
with requests.Session() as session:
    session.trust_env = False
    for _ in range(count):
        body = {name: (name, data, "image/jpeg") for name, data in photos.items()} if method == "POST" else None
        session.request(method, url, files=body).raise_for_status()
"""


def service_app(image: bytes) -> tuple[Flask, str]:
    """The service with one finished job; the model's own work is left out, all that surrounds it is counted."""
    app = create_app(Settings())
    service = service_of(app)
    service.queue = JobQueue(
        service.store, service.clock, lambda _a, _b: image, workers=1, queue_size=1000, service_time_s=0.0
    )
    service.start()
    job_id = service.ids.issue()
    service.store.put(job_id, JobResult(JobState.DONE, image, None, service.clock()))
    return app, job_id


def bare_app(image: bytes, status: bytes, accepted: bytes) -> Flask:
    """The same answers with nothing behind them; the upload is parsed and read, as any view must."""
    app = Flask("bare")

    @app.get("/api/images/result/<job_id>")
    def result(job_id: str) -> Response:  # noqa: ARG001 - routed alike
        return Response(image, mimetype="image/png")

    @app.get("/api/images/status/<job_id>")
    def state(job_id: str) -> Response:  # noqa: ARG001 - routed alike
        return Response(status, mimetype="application/json")

    @app.post("/api/images/analyze")
    def analyze() -> tuple[Response, int]:
        for part in ("parentA", "parentB"):
            request.files[part].read()
        return Response(accepted, mimetype="application/json"), 202

    return app


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an application from threads of this process."""
    channels: dict[int, object] = {}
    server = create_server(app, host="127.0.0.1", port=0, threads=8, map=channels)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.task_dispatcher.shutdown()
    server.close()


def cpu_per_request(method: str, url: str, count: int) -> float:
    """This process's CPU seconds per request while a client elsewhere sends them."""
    photos = str(files("labserver.load") / "photos")
    began = time.process_time()
    subprocess.run([sys.executable, "-c", CLIENT, method, url, str(count), photos], check=True)
    return (time.process_time() - began) / count


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=300)
    options = parser.parse_args()
    image = bytes(190_000)
    app, job_id = service_app(image)
    client = app.test_client()
    status = client.get(f"/api/images/status/{job_id}").data
    bare = bare_app(image, status, b'{"jobId":"' + job_id.encode() + b'"}\n')
    routes = {
        "status": ("GET", f"/api/images/status/{job_id}"),
        "result": ("GET", f"/api/images/result/{job_id}"),
        "submit": ("POST", "/api/images/analyze"),
    }
    with served(app) as ours, served(bare) as theirs:
        print("| request | bare Flask view, ms CPU | service, ms CPU | ratio (least to most) |\n|---|---|---|---|")
        for name, (method, path) in routes.items():
            pairs = []
            for _ in range(options.rounds):
                base = cpu_per_request(method, theirs + path, options.requests)
                pairs.append((base, cpu_per_request(method, ours + path, options.requests)))
            ratios = [mine / base for base, mine in pairs]
            base, mine = (statistics.median(values) * 1e3 for values in zip(*pairs, strict=True))
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"| {name} | {base:.2f} | {mine:.2f} | {spread} |")


if __name__ == "__main__":
    main()
