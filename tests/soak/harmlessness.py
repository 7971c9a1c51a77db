"""200 looks each at an application that is in the middle of something difficult: no harm, no wrong answer.

python tests/soak/harmlessness.py [--looks N] [--python PATH …] [--only CIRCUMSTANCE]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

APPLICATION = Path(__file__).with_name("harmless_app.py")
CIRCUMSTANCES = (
    "at rest",
    "churning threads",
    "audit hook",
    "asyncio tasks",
    "greenlets",
    "subprocesses and forks",
    "profile function",
    "coverage",
    "trace function",
    "tracemalloc on",
    "gc.freeze()",
    "collector off",
)
VERSION = "import platform; print(platform.python_version())"
HEAD = ("CPython", "circumstance", "looks", "crashes", "wrong", "failed", "lost signals", "look ms", "fork ms")
ROW = "| {:8} | {:22} | {:>5} | {:>7} | {:>5} | {:>6} | {:>12} | {:>8} | {:>8} |"


def look_at(python, circumstance, looks, within_s=3600):
    """What came of an application under some circumstance, and what is wrong with that; a sentence each."""
    try:
        done = subprocess.run(
            [python, "-W", "ignore", str(APPLICATION), circumstance, str(looks)],
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {}, ["it hangs"]
    if done.returncode or not done.stdout.startswith("{"):
        return {}, [f"it ended with {done.returncode}: {done.stderr[-400:]}"]
    found = json.loads(done.stdout)
    return found, list(faults(found))


def faults(found):
    """Whatever must not have happened."""
    yield from found["failed"]
    for name in ("wrong", "lost_signals", "children_left", "threads_left", "descriptors_left"):
        if found[name]:
            yield f"{name.replace('_', ' ')}: {found[name]}"


def main():
    """Print the table; the exit status is the number of rows with a fault."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--looks", type=int, default=200)
    parser.add_argument("--python", nargs="*", default=[sys.executable])
    parser.add_argument("--only", choices=CIRCUMSTANCES)
    options = parser.parse_args()
    print(ROW.format(*HEAD))
    print(ROW.replace(" ", "").format(*["---"] * len(HEAD)))
    bad = 0
    for python in options.python:
        version = subprocess.check_output([python, "-c", VERSION], text=True)
        for circumstance in [options.only] if options.only else CIRCUMSTANCES:
            found, wrong = look_at(python, circumstance, options.looks)
            bad += bool(wrong)
            late = [f"{found[name]:.1f}" if found.get(name) is not None else "" for name in ("look_ms", "fork_ms")]
            counts = [found.get("wrong", ""), len(found.get("failed", "")), found.get("lost_signals", "")]
            print(ROW.format(version.strip(), circumstance, options.looks, int(not found), *counts, *late), flush=True)
            for sentence in wrong:
                print(f"  {sentence}", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
