"""What a check costs: a server's CPU time per request, and the seconds of the check of a callable.

Three servers run side by side in processes of their own, and take turns under the same requests: one alone, one whose
floors and heap graphs are taken between its cycles as the verdict and the holders need it, and one that is traced, as
the pass that looks for allocating lines does. What is printed is the ratio of their own CPU times per request; a heap
graph is taken in a forked process, whose CPU time is no server's and is printed beside it.

The check of a callable that takes no time is timed in a process of its own, and told in looks at that process's heap,
which most of it consists of: that ratio is the same on every machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psutil

from labserver.diagnosis.instruments import COMMANDS
from labserver.load import virtual_users
from labserver.targets.child import child

APPLICATION = """
import json
from flask import Flask, request
app = Flask(__name__)
HEAP = [{"id": n, "tags": [str(n), str(-n)]} for n in range(HEAP_RECORDS)]
@app.get("/json")
def answer():
    return {"rows": [{"n": n, "text": "x" * n} for n in range(60)]}
@app.post("/echo")
def echo():
    return json.dumps(request.get_json())
"""
REQUESTS = ("GET /json", 'POST /echo json={"a": [1, 2, 3], "b": "text"}')
FRAMES = 10


class Server:
    """One server with its users, and the CPU time it has spent."""

    def __init__(self, stack: ExitStack) -> None:
        self.process = stack.enter_context(child("shop:app", instruments=COMMANDS))
        self.users = stack.enter_context(virtual_users(self.process.url, 5, requests=REQUESTS))
        self._times = psutil.Process(self.process.pid).cpu_times
        self.drive(200)
        self.ask_growth_from_here()

    def ask_growth_from_here(self) -> None:
        """Take the first floor and the baseline."""
        self.process.floor()
        self.process.baseline()

    def cpu_s(self) -> float:
        """Seconds of this process; what it forked is not in it."""
        times = self._times()
        return float(times.user + times.system)

    def drive(self, jobs: int) -> float:
        """Run some jobs, and return the CPU milliseconds of one request."""
        began = self.cpu_s()
        self.users.run(iterations=jobs)
        return 1000 * (self.cpu_s() - began) / (jobs * len(REQUESTS))


def callables() -> None:
    """Time the checks of callables, and print the ratios."""
    script = Path(__file__).with_name("check_cost_of_callables.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    taken = json.loads(done.stdout)
    look = taken.pop("look")
    print(f"{1000 * look:.0f} ms for a look at the heap of a process that checks a callable")
    for which, seconds in taken.items():
        print(f"{seconds / look:.1f} × that for the check of a callable, {which}: {seconds:.2f} s")


def main() -> None:
    """Measure in rounds, and print medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=8)
    options.add_argument("--jobs", type=int, default=400, help="jobs of two requests in each round")
    options.add_argument(
        "--records", type=int, default=40_000, help="records that each server keeps: five objects each"
    )
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        os.chdir(folder)
        Path("shop.py").write_text(APPLICATION.replace("HEAP_RECORDS", str(arguments.records)), encoding="utf-8")
        alone, checked, traced = (Server(stack) for _ in range(3))
        traced.process.trace(FRAMES)
        rows: list[tuple[float, float, float, float]] = []
        for number in range(arguments.rounds):
            turns = (alone, checked, traced, alone, checked)[number % 3 :][:3]  # nobody is always the first
            cost = {server: server.drive(arguments.jobs) for server in turns}
            plain, measured, slow = cost[alone], cost[checked], cost[traced]
            began = checked.cpu_s()
            checked.process.floor()
            if number % 4 == 3:
                checked.process.growth()
            rows.append((plain, measured / plain, slow / plain, 1000 * (checked.cpu_s() - began)))
            print(f"\rround {number + 1} of {arguments.rounds}", end="", file=sys.stderr)
    print(file=sys.stderr)
    plain, measured, slow, rest = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"{plain:.2f} ms CPU a request alone, median of {arguments.rounds} rounds of {arguments.jobs} jobs")
    print(f"{measured:.3f} × while it is checked: verdict and holders")
    print(f"{slow:.2f} × while it is traced with {FRAMES} frames: allocating lines, in a short pass after a leak")
    print(f"{rest:.0f} ms CPU for a floor between two cycles, when nobody waits for an answer")
    callables()


if __name__ == "__main__":
    main()
