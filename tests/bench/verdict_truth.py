"""What the modes keep of a job, measured without a server and without a check, beside what they declare.

    python tests/bench/verdict_truth.py --only native

Each mode runs its jobs one after the other in a process of its own, and the memory in use is read at rest. Of a leak
the growth from the second reading on is told; of a clean mode, by how much the later half's peak is above the earlier
one's. What a mode forgets by the clock it has no time to forget here.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

HERE = Path(__file__).parent
LONGEST_S = 200
sys.path.insert(0, str(HERE))

from verdict_real import LEAK, MODES, ROOT, Mode, chosen, every_mode, interpreter  # noqa: E402


def measure(mode: Mode, jobs: int) -> tuple[list[float] | None, str]:
    """Bytes per job that the allocators' books show, and those mapped beside them; and what went wrong."""
    try:
        done = subprocess.run(
            [interpreter(mode), MODES / "floors.py", mode.key, str(jobs)],
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{MODES}"},
            capture_output=True,
            text=True,
            check=True,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        return None, f"It has not ended after {LONGEST_S} s."
    except subprocess.CalledProcessError as error:
        return None, error.stderr.strip().rpartition("\n")[2]
    return [growth(mode, floors, jobs) for floors in zip(*json.loads(done.stdout), strict=True)], ""


def growth(mode: Mode, floors: tuple[int, ...], jobs: int) -> float:
    each, half = jobs // (len(floors) - 1), len(floors) // 2
    if mode.truth.verdict == LEAK:
        return (floors[-1] - floors[1]) / (each * (len(floors) - 2))
    return (max(floors[half:]) - max(floors[: half + 1])) / (each * half)


@click.command()
@click.option("--only", multiple=True, help="A kind, or kind:mode, also with wildcards; repeatable.")
@click.option("--jobs", default=8000, show_default=True, help="After 500 to warm up.")
@click.option("--parallel", default=1, show_default=True)
def main(only: tuple[str, ...], jobs: int, parallel: int) -> None:
    """Print a line for each mode."""
    modes = chosen(every_mode(), only)
    with ThreadPoolExecutor(parallel) as pool:
        for mode, (rates, failure) in pool.map(lambda mode: (mode, measure(mode, jobs)), modes.values()):
            said = mode.truth.bytes_range
            declared = "" if said is None else f"declared {said[0]:,.0f} to {said[1]:,.0f}"
            measured = failure if rates is None else f"{rates[0]:10,.0f} B/job, {rates[1]:10,.0f} mapped"
            print(f"{mode.key:55} {measured}  {declared}", flush=True)


if __name__ == "__main__":
    main()
