"""Whole checks of small real servers, clean and leaky: how often the verdict is right, after how many jobs and seconds.

    python tests/bench/verdict_real.py --runs 3

Each finished check is a line of JSON in the output file; a run that was broken off goes on where it ended. The table is
written as Markdown.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODES = HERE / "modes"
REFERENCE = ROOT / "outputs" / "reference" / "verdict.md"
LONGEST_S = 400
sys.path.insert(0, str(MODES))

CLEAN = (
    *("hello", "documents", "images", "lru", "fills", "ttl", "settled", "sawtooth", "logs", "sqlite", "pool", "warm"),
    *("slow", "page", "background", "fragments", "frozen", "ramp"),
)
LEAKY = (
    *("buffers", "mapping", "closures", "threads", "images", "malloc", "maps", "sqlite", "cycles", "rare", "half"),
    *("late", "users", "errors", "unbounded", "expensive"),
)
OPTIONS = {
    ("clean", "settled"): ["--settle", "2.2"],
    ("leaky", "expensive"): ["--max-jobs", "10"],
}
MAY_BE_UNDECIDED = {("clean", "slow")}
BELOW_THE_TOLERANCE = ("leaky", "rare")  # 150 B a job


def one(kind: str, mode: str, seed: int) -> dict[str, Any]:
    """Check one server."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        arguments = ["--request", "GET /work", "--json", str(file), *OPTIONS.get((kind, mode), [])]
        done = subprocess.run(
            [sys.executable, "-m", "labserver", "check", f"{kind}:{mode}", *arguments],
            cwd=MODES,
            env=os.environ | {"SEED": str(seed), "PYTHONPATH": f"{ROOT}{os.pathsep}{MODES}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
        result = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"verdict": None}
    keep = ("verdict", "bytes_per_job", "native_bytes_per_job", "meter", "jobs", "seconds", "errors", "notes")
    row = {"kind": kind, "mode": mode, "seed": seed, "code": done.returncode}
    row |= {name: result.get(name) for name in keep}
    row["holder"] = next((item["path"] for item in result.get("holders", [])), None)
    row["findings"] = [item["kind"] for item in result.get("findings", [])]
    if result["verdict"] is None:
        row["stderr"] = done.stderr[-500:]
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """The operating characteristics, as Markdown."""
    from leaky import BYTES_PER_JOB

    groups = defaultdict(list)
    for row in rows:
        groups[row["kind"], row["mode"]].append(row)
    lines = [
        "| server | runs | LEAK | NO LEAK | undecided | jobs | s | s, p95 | B/job | error | meter |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (kind, mode), group in groups.items():
        counts = [sum(row["verdict"] == verdict for row in group) for verdict in ("leak", "no-leak", "inconclusive")]
        seconds = [row["seconds"] or 0 for row in group]
        rates = [row["bytes_per_job"]["estimate"] for row in group if row["bytes_per_job"]]
        rate = float(np.median(rates)) if rates else float("nan")
        truth = BYTES_PER_JOB.get(mode) if kind == "leaky" else None
        error = "" if truth is None else f"{rate / truth - 1:+.1%}"
        meters = "/".join(sorted({row["meter"] or "–" for row in group}))
        jobs = np.median([row["jobs"] or 0 for row in group])
        lines.append(
            f"| {kind}: {mode} | {len(group)} | {' | '.join(map(str, counts))} | {jobs:.0f} | "
            f"{np.median(seconds):.1f} | {np.percentile(seconds, 95):.1f} | {rate:,.0f} | {error} | {meters} |"
        )
    return "\n".join(lines)


def summary(rows: list[dict[str, Any]]) -> str:
    """The sentence above the table."""
    clean = [row for row in rows if row["kind"] == "clean"]
    below = [row for row in rows if (row["kind"], row["mode"]) == BELOW_THE_TOLERANCE]
    leaky = [row for row in rows if row["kind"] == "leaky" and row not in below]
    false = sum(row["verdict"] == "leak" for row in clean)
    missed = sum(row["verdict"] == "no-leak" for row in leaky)
    found, found_below = (sum(row["verdict"] == "leak" for row in group) for group in (leaky, below))
    decided = [row for row in rows if (row["kind"], row["mode"]) not in MAY_BE_UNDECIDED]
    jobs = np.mean([row["jobs"] or 0 for row in decided]) if decided else float("nan")
    return (
        f"{len(clean)} checks of clean servers: {false} false LEAK. {len(leaky)} checks of leaky ones: {missed} false "
        f"NO LEAK, {found} LEAK; {len(below)} checks of `rare`, which leaks less than the tolerance: {found_below} "
        f"LEAK. Measured jobs to the verdict, on average over all but the cache that takes thousands of jobs to fill: "
        f"{jobs:.0f}. Jobs, seconds and bytes per job below are medians.\n\n"
        "`tests/bench/verdict_real.py` wrote this; the servers are in `tests/bench/modes/`."
    )


@click.command()
@click.option("--runs", default=3, show_default=True, help="Of each server, each with a seed of its own.")
@click.option("--jobs-parallel", default=1, show_default=True, help="Checks at the same time.")
@click.option("--only", multiple=True, help="kind:mode; repeatable.")
@click.option("--out", default=ROOT / "outputs" / "runs" / "verdict_real.jsonl", type=click.Path(path_type=Path))
@click.option("--markdown", default=REFERENCE, type=click.Path(path_type=Path), help="Where the table is written.")
def main(runs: int, jobs_parallel: int, only: tuple[str, ...], out: Path, markdown: Path) -> None:
    """Check every server, and print and write the table."""
    out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    known = {(row["kind"], row["mode"], row["seed"]) for row in done}
    servers = [("clean", mode) for mode in CLEAN] + [("leaky", mode) for mode in LEAKY]
    wanted = [(k, m, seed) for seed in range(runs) for k, m in servers if not only or f"{k}:{m}" in only]
    missing = [key for key in wanted if key not in known]
    with ThreadPoolExecutor(jobs_parallel) as pool, out.open("a", encoding="utf-8") as file:
        for row in pool.map(lambda key: one(*key), missing):
            file.write(json.dumps(row) + "\n")
            file.flush()
            done.append(row)
            print(
                f"{row['kind']}:{row['mode']} {row['verdict']} {row['jobs']} jobs {row['seconds']} s", file=sys.stderr
            )
    rows = [row for row in done if (row["kind"], row["mode"], row["seed"]) in set(wanted)]
    text = f"# The verdict on real servers\n\n{summary(rows)}\n\n{table(rows)}\n"
    if not only:
        markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
