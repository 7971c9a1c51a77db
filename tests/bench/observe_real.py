"""Observations of small real servers under traffic that swings: how often the verdict and the holder are right.

    python tests/bench/observe_real.py --runs 5 --observe 300 --only 'leaky:*'

The servers are those of `verdict_real.py` (`modes/`), served by waitress with `labserver.listen()` in them, and
`labserver.wsgi()` around them; what is right stands beside each. A line of JSON for each run, then a table as Markdown.
What no Python object holds cannot be seen under traffic: of a leak of native memory alone NO LEAK is no mistake.
"""

import itertools
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import requests

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "modes"), str(HERE)]

from mode import Mode, every_mode  # noqa: E402
from verdict_real import ROOT, chosen, has_holder  # noqa: E402

SERVER = """
import importlib, sys
sys.path[:0] = [sys.argv[1]]
import labserver
labserver.listen()
module, name = sys.argv[2].split(":")
from waitress.server import create_server
application = getattr(importlib.import_module(module), name)()
server = create_server(labserver.wsgi(application), host="127.0.0.1", port=0, threads=4)
print(server.effective_port, flush=True)
server.run()
"""
PERIOD_S = 97.0


class Traffic(threading.Thread):
    """Requests until it is stopped, at a rate that swings, with an idle spell and a burst in each period, or is steady.

    Attributes:
        seconds: that each request took.
        failed: whether one got no answer, or a server's error.
    """

    def __init__(self, url: str, mean: float, *, swings: bool = True) -> None:
        super().__init__(daemon=True)
        self._url, self._mean, self._swings = url, mean, swings
        self.stopped = threading.Event()
        self.seconds: list[float] = []
        self.failed = False

    def run(self) -> None:
        session, began = requests.Session(), time.monotonic()
        while not self.stopped.is_set():
            sent = time.monotonic()
            try:
                self.failed |= session.get(self._url, timeout=30).status_code >= 500
            except requests.RequestException:
                self.failed = True
                self.stopped.wait(0.2)
            self.seconds.append(time.monotonic() - sent)
            self.stopped.wait(max(1 / self._rate(sent - began) - self.seconds[-1], 0.0))

    def _rate(self, t: float) -> float:
        if not self._swings:
            return self._mean
        phase = t % PERIOD_S
        if phase < 5:
            return 4 * self._mean
        return 1.0 if phase > PERIOD_S - 8 else self._mean * (1 + 0.7 * math.sin(2 * math.pi * t / PERIOD_S))


def one(mode: Mode, seed: int, options: list[str], mean: float) -> dict[str, Any]:
    """Observe one server."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SERVER, str(HERE / "modes"), mode.key]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        traffic = Traffic(f"http://127.0.0.1:{int(server.stdout.readline())}/work", mean)
        try:
            traffic.start()
            time.sleep(10 + seed)
            check = [sys.executable, "-m", "labserver", "check", f"pid:{server.pid}", *options]
            done = subprocess.run(
                [*check, "--stall-ms", "200", "--json", "-", "--quiet"],
                env=environment,
                capture_output=True,
                check=False,
            )
            alive = server.poll() is None
        finally:
            traffic.stopped.set()
            traffic.join(10)
            server.kill()
    told = json.loads(done.stdout) if done.stdout else {"verdict": done.stderr.decode()[-300:]}
    seconds = sorted(traffic.seconds)
    row = {name: told.get(name) for name in ("verdict", "bytes_per_job", "jobs", "observed", "notes")}
    row |= {"kind": mode.module, "mode": mode.name, "seed": seed, "alive": alive}
    row |= {"holders": [one["path"] for one in told.get("holders", [])], "p99_ms": 1000 * seconds[-len(seconds) // 100]}
    row["holder"] = has_holder({"holders": told.get("holders", []), "findings": []}, mode.truth)
    return row


def table(rows: list[dict[str, Any]], modes: dict[str, Mode]) -> str:
    """What was right, as Markdown."""
    groups = defaultdict(list)
    for row in rows:
        groups[f"{row['kind']}:{row['mode']}"].append(row)
    lines = [
        "| server | right | runs | LEAK | NO LEAK | undecided | holder | core | stall ms | p99 ms |",
        "|---" * 10 + "|",
    ]
    for server, group in groups.items():
        counts = [sum(row["verdict"] == verdict for row in group) for verdict in ("leak", "no-leak", "inconclusive")]
        looks = [row["observed"]["looks"] for row in group if row.get("observed")]
        cost = [f"{max(one[name] for one in looks):.3g}" if looks else "" for name in ("core_share", "stall_ms")]
        named = sum(bool(row["holder"]) for row in group)
        cells = [server, modes[server].truth.verdict, len(group), *counts, named, *cost]
        lines.append(f"| {' | '.join(map(str, cells))} | {max(row['p99_ms'] for row in group):.1f} |")
    return "\n".join(lines)


@click.command()
@click.option("--runs", default=1, show_default=True, help="Of each server.")
@click.option("--observe", default=300, show_default=True, help="Seconds.")
@click.option("--every", type=int, help="Seconds from one look to the next, where a short run may cost more.")
@click.option("--mean", default=20.0, show_default=True, help="Requests a second, on the average.")
@click.option("--only", multiple=True, help="A kind, or kind:mode, also with wildcards; repeatable.")
@click.option("--parallel", default=1, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=ROOT / "outputs" / "runs" / "observe_real.jsonl")
def main(  # noqa: PLR0913, PLR0917 - each is an option
    runs: int, observe: int, every: int | None, mean: float, only: tuple[str, ...], parallel: int, output: Path
) -> None:
    """Observe each server so many times."""
    modes = {key: found for key, found in chosen(every_mode(), only).items() if not found.dependencies}
    output.parent.mkdir(parents=True, exist_ok=True)
    options = ["--observe", f"{observe}s", *(["--every", f"{every}s"] if every else [])]
    wanted = itertools.product(modes, range(runs))
    rows = []
    with ThreadPoolExecutor(parallel) as pool, output.open("a", encoding="utf-8") as file:
        jobs = [pool.submit(one, modes[key], seed, options, mean) for key, seed in wanted]
        for job in jobs:
            rows.append(job.result())
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    print(table(rows, modes))


if __name__ == "__main__":
    main()
