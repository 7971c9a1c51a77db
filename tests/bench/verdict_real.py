"""Whole checks of small real servers, clean and leaky: how often the verdict and the names are right, and how soon.

    python tests/bench/verdict_real.py --runs 3 --only 'bounded_*' --jobs-parallel 2

What is right stands beside each server (`modes/`, `Truth`). Each finished check is a line of JSON in the output file,
and its whole result a file in the folder of the same name, for `verdict_consistency.py`; a run that was broken off goes
on where it ended. The table is written as Markdown. Servers that need libraries run in
environments of their own, which are made with uv in a cache directory and kept.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import click
import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODES = HERE / "modes"
REFERENCE = ROOT / "outputs" / "reference" / "verdict.md"
LONGEST_S = 400
SOON_S = 90
TOLERANCE = 256
sys.path[:0] = [str(MODES), str(HERE)]

from libraries import CACHE, Recipe, environment  # noqa: E402
from mode import Mode, Truth, every_mode  # noqa: E402

LEAK, NO_LEAK, UNDECIDED = "leak", "no-leak", "inconclusive"
FRAME = re.compile(r"(?:.*/)?([^/]+\.py):(\d+) in ")
making = threading.Lock()


def interpreter(mode: Mode, cache: Path = CACHE) -> str:
    """The Python of the environment that has what a mode needs."""
    if not mode.dependencies:
        return sys.executable
    with making:
        return str(environment(Recipe(mode.module, mode.dependencies, "modes"), sys.executable, cache))


def one(mode: Mode, seed: int, pages: Path) -> dict[str, Any]:
    """Check one server; the whole result is written into the folder of pages."""
    row: dict[str, Any] = {"kind": mode.module, "mode": mode.name, "seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        arguments = ["--request", "GET /work", "--quiet", "--json", str(file), *mode.options]
        try:
            done = subprocess.run(
                [interpreter(mode), "-m", "labserver", "check", mode.key, *arguments],
                cwd=MODES,
                env=os.environ | {"SEED": str(seed), "PYTHONPATH": f"{ROOT}{os.pathsep}{MODES}"},
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST_S,
            )
        except subprocess.TimeoutExpired:
            return row | {"code": None, "verdict": None, "seconds": LONGEST_S, "stderr": "It has not ended."}
        result = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"verdict": None}
        if file.exists():
            shutil.copyfile(file, pages / f"{mode.module}.{mode.name}.{seed}.json")
    keep = ("verdict", "bytes_per_job", "native_bytes_per_job", "meter", "jobs", "seconds", "errors", "notes")
    row |= {"code": done.returncode} | {name: result.get(name) for name in keep}
    row["holders"] = [named(holder) for holder in result.get("holders", [])[:3]]
    row["findings"] = [
        named(finding) | {"holders": [named(holder) for holder in finding.get("holders", [])[:3]]}
        for finding in result.get("findings", [])
    ]
    if result["verdict"] is None:
        row["stderr"] = done.stderr[-500:]
    return row


def named(found: dict[str, Any]) -> dict[str, Any]:
    """What the check says of a holder or a finding, with the text of the lines."""
    kept = {name: found[name] for name in ("path", "holder", "item_type", "items", "kind", "text") if name in found}
    if not found.get("item_type"):
        told = found.get("told", {})
        told |= told.get("owner") or {}  # what may own memory that has no holder is what a reader looks for
        kept |= {"item_type": found.get("buffer_type") or told.get("type") or ""}
        kept |= {"items": found.get("buffers") or told.get("items")}
    return kept | {"lines": [line_of(frame) for frame in found.get("allocated_at", [])]}


def line_of(frame: str) -> str:
    """The text of a line that is named as `leaky.py:41 in work`, or that name where it is no mode's."""
    place = FRAME.match(frame)
    if place is None or not (MODES / place[1]).exists():
        return frame
    return (MODES / place[1]).read_text(encoding="utf-8").splitlines()[int(place[2]) - 1].strip()


def covers(row: dict[str, Any], truth: Truth) -> bool | None:
    """Whether the interval contains what is right; None where either is not told."""
    interval, right = row.get("bytes_per_job"), truth.bytes_range
    if interval is None or right is None:
        return None
    return interval["low"] <= right[1] and interval["high"] >= right[0]


def leading(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The first holder and the first finding, either of which may lead the page, with what is folded under it."""
    finding = row["findings"][:1]
    return [*row["holders"][:1], *finding, *(finding[0].get("holders", [])[:1] if finding else [])]


def has_item(row: dict[str, Any], truth: Truth) -> bool | None:
    """Whether what leads is of the right items; None where there is nothing to name."""
    if truth.item is None:
        return None
    return any(re.fullmatch(truth.item, found["item_type"]) for found in leading(row))


def has_holder(row: dict[str, Any], truth: Truth) -> bool | None:
    """Whether what leads is the right holder; a finding without one says in its text what it is."""
    if truth.holder is None:
        return None
    return any(re.search(truth.holder, found.get("path") or found["text"]) for found in leading(row))


def has_line(row: dict[str, Any], truth: Truth) -> bool | None:
    """Whether what leads was allocated where it should be."""
    if truth.line is None:
        return None
    return any(text in line for text in truth.line for found in leading(row) for line in found["lines"])


JUDGED = {"covers": covers, "item": has_item, "holder": has_holder, "line": has_line}


def share(rows: Iterable[dict[str, Any]], truths: dict[str, Truth], judge: Callable) -> tuple[int, int]:
    """In how many rows something is right, of how many that a verdict of LEAK makes it say."""
    found = [judge(row, truths[key(row)]) for row in rows if row["verdict"] == LEAK and is_leaky(row, truths)]
    told = [right for right in found if right is not None]
    return sum(told), len(told)


def key(row: dict[str, Any]) -> str:
    return f"{row['kind']}:{row['mode']}"


def is_leaky(row: dict[str, Any], truths: dict[str, Truth]) -> bool:
    return truths[key(row)].verdict == LEAK


def is_marked(truth: Truth) -> bool:
    """Whether it leaks so much that it must be found."""
    return truth.verdict == LEAK and (truth.bytes_per_job is None or truth.bytes_per_job >= 2 * TOLERANCE)


def table(rows: list[dict[str, Any]], truths: dict[str, Truth]) -> str:
    """The operating characteristics, as Markdown."""
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    columns = (
        "server",
        "right",
        "runs",
        "LEAK",
        "NO LEAK",
        "undecided",
        "jobs",
        "s",
        "s, p95",
        "B/job",
        "truth",
        *JUDGED,
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for server, group in groups.items():
        truth = truths[server]
        counts = [count(group, verdict) for verdict in (LEAK, NO_LEAK, UNDECIDED)]
        seconds = [row["seconds"] or 0 for row in group]
        rates = [row["bytes_per_job"]["estimate"] for row in group if row.get("bytes_per_job")]
        rate = f"{np.median(rates):,.0f}" if rates else "–"
        right = "" if truth.bytes_per_job is None else f"{truth.bytes_per_job:,.0f}"
        jobs = np.median([row.get("jobs") or 0 for row in group])
        judged = [share(group, truths, judge) for judge in JUDGED.values()]
        lines.append(
            f"| {server} | {truth.verdict} | {len(group)} | {' | '.join(map(str, counts))} | {jobs:.0f} | "
            f"{np.median(seconds):.1f} | {np.percentile(seconds, 95):.1f} | {rate} | {right} | "
            f"{' | '.join(f'{good}/{told}' if told else '' for good, told in judged)} |"
        )
    return "\n".join(lines)


def summary(rows: list[dict[str, Any]], truths: dict[str, Truth]) -> str:
    """The sentences above the table."""
    hopeless = [row for row in rows if truths[key(row)].may_be_undecided]
    clean = [row for row in rows if row not in hopeless and not is_leaky(row, truths)]
    marked = [row for row in rows if is_marked(truths[key(row)])]
    faint = [row for row in rows if is_leaky(row, truths) and row not in marked]
    soon = sum(row["seconds"] <= SOON_S for row in marked if row["verdict"] == LEAK)
    names = {name: percent(*share(rows, truths, judge)) for name, judge in JUDGED.items()}
    servers = {key(row) for row in rows}
    points = (
        f"It rests on {len(rows)} checks of {len(servers)} of the {len(truths)} servers.",
        (
            f"{len(clean)} checks of clean servers: {count(clean, LEAK)} false LEAK, "
            f"{percent(count(clean, UNDECIDED), len(clean))} undecided. {len(hopeless)} of clean ones that nobody can "
            f"tell in the jobs of a check: {count(hopeless, LEAK)} false LEAK, {count(hopeless, UNDECIDED)} undecided."
        ),
        (
            f"{len(marked)} checks of servers that leak twice the tolerance or more: {count(marked, LEAK)} LEAK, "
            f"{soon} of them within {SOON_S} s; {count(marked, NO_LEAK)} false NO LEAK. {len(faint)} of servers that "
            f"leak less: {count(faint, LEAK)} LEAK."
        ),
        (
            f"Of the LEAKs that can be told: intervals that cover what is right {names['covers']}; the right item "
            f"{names['item']}, holder {names['holder']}, line {names['line']}."
        ),
        f"{count(rows, None)} checks ended without a result.",
    )
    return "\n".join(f"- {point}" for point in points) + (
        "\n\nJobs, seconds and bytes per job below are medians; the last columns count LEAKs that tell it rightly.\n"
        "`tests/bench/verdict_real.py` wrote this; the servers, and what is right of each, are in `tests/bench/modes/`."
    )


def count(rows: list[dict[str, Any]], verdict: str | None) -> int:
    return sum(row["verdict"] == verdict for row in rows)


def percent(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "none of none"


def chosen(modes: dict[str, Mode], only: tuple[str, ...]) -> dict[str, Mode]:
    """The modes that one of the patterns means: a key, a module's name, or either with wildcards."""
    if not only:
        return modes
    for pattern in only:
        if not any(is_meant(mode, pattern) for mode in modes.values()):
            raise click.BadParameter(f"no mode is called {pattern}.", param_hint="--only")
    return {name: mode for name, mode in modes.items() if any(is_meant(mode, pattern) for pattern in only)}


def is_meant(mode: Mode, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in (mode.key, mode.module))


@click.command()
@click.option("--runs", default=3, show_default=True, help="Of each server, each with a seed of its own.")
@click.option("--jobs-parallel", default=1, show_default=True, help="Checks at the same time.")
@click.option("--only", multiple=True, help="A kind, or kind:mode, also with wildcards; repeatable.")
@click.option("--out", default=ROOT / "outputs" / "runs" / "verdict_real.jsonl", type=click.Path(path_type=Path))
@click.option("--no-checks", is_flag=True, help="Write the table of those that are done.")
@click.option("--markdown", default=REFERENCE, type=click.Path(path_type=Path), help="Where the table is written.")
def main(  # noqa: PLR0913, PLR0917 - each is an option
    runs: int, jobs_parallel: int, only: tuple[str, ...], out: Path, no_checks: bool, markdown: Path
) -> None:
    """Check every server, and print and write the table."""
    pages = out.with_suffix("")
    pages.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    finished = {(key(row), row["seed"]): row for row in done if row["verdict"] is not None}
    modes = chosen(every_mode(), only)
    wanted = [(name, seed) for seed in range(runs) for name in modes]
    missing = [] if no_checks else [each for each in wanted if each not in finished]
    with ThreadPoolExecutor(jobs_parallel) as pool, out.open("a", encoding="utf-8") as file:
        for check in as_completed([pool.submit(one, modes[name], seed, pages) for name, seed in missing]):
            row = check.result()
            finished[key(row), row["seed"]] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{key(row)} {row['verdict']} {row.get('jobs')} jobs {row['seconds']} s", file=sys.stderr)
    truths = {name: mode.truth for name, mode in modes.items()}
    done_by_now = [each for each in wanted if each in finished]
    rows = [finished[each] for each in sorted(done_by_now, key=lambda each: list(modes).index(each[0]))]
    text = f"# The verdict on real servers\n\n{summary(rows, truths)}\n\n{table(rows, truths)}\n"
    if not only:
        markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
