"""Forecasts of small leaking servers under a memory limit, made in the first quarter of their lives, and their deaths.

    python tests/bench/forecast_real.py --runs 3 --life 480

A server gets as much memory (RLIMIT_DATA) as its leak fills in about so many seconds under its traffic, which is steady
or swings; RLIMIT_AS would count what malloc has reserved and not used, so that it stands still for long. `labserver
check pid:N --observe` looks at it for a quarter of that; then it is left alone until it answers a request with an
error, since there is no memory. A line of JSON for each run, and a table as Markdown.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from typing import Any

import click

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE)]

from observe_real import Traffic  # noqa: E402

SERVER = """
import resource, sys
import labserver
labserver.listen()
import numpy, psutil
from waitress.server import create_server
KEPT = {}
class Order:
    def __init__(self, number):
        self.number, self.lines = number, [{"sku": f"sku-{number}-{n}", "price": n + 0.5} for n in range(12)]
KINDS = {
    "images": lambda n: bytes(8_000),
    "orders": lambda n: Order(n),
    "texts": lambda n: [f"{n}-{m:050d}" for m in range(60)],
}
keep = KINDS[sys.argv[1]]
def application(environ, start_response):
    number = len(KEPT)
    try:
        KEPT[number] = keep(number)
    except MemoryError:
        start_response("500 Out of memory", [])
        return [b""]
    start_response("200 OK", [])
    return [b"ok"]
server = create_server(labserver.wsgi(application), host="127.0.0.1", port=0, threads=4)
most = psutil.Process().memory_info().data + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))
print(server.effective_port, flush=True)
server.run()
"""
BYTES = {"images": 8_100, "orders": 5_000, "texts": 7_200}
"""About what each request keeps, which says how large a limit lasts for how long."""
MEAN = 25.0
LONGEST = 4.0


def one(kind: str, *, swings: bool, seed: int, life_s: float, file: Path) -> dict[str, Any]:
    """Forecast the end of one server, and wait for it."""
    room = int(life_s * MEAN * BYTES[kind])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(file), kind, str(room)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        traffic = Traffic(f"http://127.0.0.1:{int(server.stdout.readline())}/", MEAN, swings=swings)
        traffic.start()
        began = time.monotonic()
        try:
            time.sleep(2 + seed)
            check = [sys.executable, "-m", "labserver", "check", f"pid:{server.pid}", "--observe", f"{life_s / 4:.0f}s"]
            check += ["--stall-ms", "500", "--quiet", "--json", "-"]
            done = subprocess.run(check, env=environment, capture_output=True, check=False)
            told_s = time.monotonic() - began
            while server.poll() is None and not traffic.failed and time.monotonic() - began < LONGEST * life_s:
                time.sleep(0.2)
            ended_s = time.monotonic() - began
        finally:
            traffic.stopped.set()
            traffic.join(10)
            server.kill()
    told = json.loads(done.stdout) if done.stdout else {"verdict": done.stderr.decode()[-300:]}
    forecast = (told.get("observed") or {}).get("forecast") or {}
    row = {"kind": kind, "swings": swings, "seed": seed, "verdict": told["verdict"], "notes": told.get("notes")}
    row |= {"told_s": told_s, "ended_s": ended_s, "left_s": ended_s - told_s, "ended": traffic.failed}
    return row | {name: 3600 * hours for name, hours in forecast.items() if name.endswith("hours") and hours}


def table(rows: list[dict[str, Any]]) -> str:
    """What was forecast and what came, as Markdown."""
    lines = ["| what is kept | traffic | told after s | forecast s | from | to | ended after s | off |"]
    lines.append("|---" * 8 + "|")
    for row in rows:
        traffic = "swings" if row["swings"] else "steady"
        said = [f"{row[name]:.0f}" if name in row else "" for name in ("hours", "low_hours", "high_hours")]
        off = f"{row['hours'] / row['left_s'] - 1:+.1%}" if "hours" in row else row["verdict"]
        cells = [row["kind"], traffic, f"{row['told_s']:.0f}", *said, f"{row['left_s']:.0f}", off]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command()
@click.option("--runs", default=1, show_default=True, help="Of each kind and each traffic.")
@click.option("--life", default=480.0, show_default=True, help="Seconds that a server lives, about.")
@click.option("--parallel", default=1, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=ROOT / "outputs" / "runs" / "forecast_real.jsonl")
def main(runs: int, life: float, parallel: int, output: Path) -> None:
    """Forecast the end of each server so many times."""
    output.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(parallel) as pool, output.open("a") as lines:
        file = Path(folder, "shop.py")
        file.write_text(SERVER, encoding="utf-8")
        jobs = [
            pool.submit(one, kind, swings=swings, seed=seed, life_s=life, file=file)
            for kind, swings, seed in product(BYTES, (False, True), range(runs))
        ]
        for job in as_completed(jobs):
            rows.append(job.result())
            lines.write(json.dumps(rows[-1]) + "\n")
            lines.flush()
    print(table(rows))


if __name__ == "__main__":
    main()
