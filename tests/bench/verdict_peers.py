"""The same modes through other tools that give a verdict or a growth, each in an environment of its own, beside ours.

    python tests/bench/verdict_peers.py --only 'kept_by_c:*'

A runner in `peers/` uses its tool as the tool's documentation says, and says in its first comment what to install and
which settings to try (PEP 723); the table shows the setting with the most right verdicts. Each finished run is a line
of JSON in the output file; a bench that was broken off goes on where it ended.
"""

import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = HERE / "peers"
REFERENCE = ROOT / "outputs" / "reference" / "verdict_peers.md"
LONGEST_S = 180
OURS = "labserver check"
sys.path.insert(0, str(HERE))

from libraries import CACHE, Recipe, environment  # noqa: E402
from verdict_real import MODES, Mode, Truth, every_mode, key, leading, line_of, making, one  # noqa: E402

# A few of each kind, all of whose jobs another tool can run in its own process.
COMPARED = {
    "clean": "lru fills sqlite sawtooth warm pool fragments",
    "bounded_by_hand": "dict_pops_oldest ordered_dict_of_ten_a_job ring_filled_in_part list_cut_in_place linked_list "
    "two_generations bound_on_another_object",
    "sawtooths": "timer_of_half_a_second expired_when_the_next_comes batch_of_seven_hundred",
    "pools": "connections_of_tenants",
    "leaky": "buffers mapping closures threads malloc cycles errors unbounded",
    "late_and_rare": "four_percent blocks_of_64 new_user_each_fifth archive_behind_a_cache",
    "leaky_disguised": "beside_an_lru_cache pop_of_a_wrong_key limit_of_something_else receiver_of_each_job",
    "kept_by_c": "exit_handlers lost_bytes lost_exceptions",
    "threads_and_tasks": "tasks_that_wait generators_suspended contexts",
    "native": "malloc_600 zlib_streams",
}
PLACE = re.compile(r"[\w/.-]+\.py:\d+")


@dataclass(frozen=True)
class Peer:
    """What a runner says of itself.

    Attributes:
        file: the runner.
        name: the tool's.
        dependencies: what is to be installed.
        settings: those to try.
    """

    file: Path
    name: str
    dependencies: tuple[str, ...]
    settings: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, file: Path) -> "Peer":
        lines = re.search(r"(?ms)^# /// script$\n(.*?)^# ///$", file.read_text(encoding="utf-8"))
        if lines is None:
            raise click.ClickException(f"{file.name} has no block '# /// script' that says what it needs.")
        block = tomllib.loads("".join(line[2:] for line in lines[1].splitlines(keepends=True)))
        return cls(file, dependencies=tuple(block["dependencies"]), **block["tool"]["peers"])


def ask(peer: Peer, setting: dict[str, Any], mode: Mode) -> dict[str, Any]:
    """The row of one run: what the tool says of a mode."""
    row = {"tool": peer.name, "setting": json.dumps(setting), "kind": mode.module, "mode": mode.name, "leak": None}
    with making:
        python = environment(Recipe(peer.file.stem, peer.dependencies, "peers"), sys.executable, CACHE)
    began = time.monotonic()
    try:
        done = subprocess.run(
            [python, peer.file.name, mode.key, row["setting"]],
            cwd=PEERS,
            env=os.environ | {"PYTHONPATH": str(MODES)},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        return row | {"seconds": LONGEST_S, "failure": f"It has not ended after {LONGEST_S} s."}
    row["seconds"] = round(time.monotonic() - began, 1)
    if done.returncode or not done.stdout.strip():
        return row | {"failure": done.stderr.strip()[-300:]}
    said = json.loads(done.stdout.strip().rpartition("\n")[2])
    return row | {"leak": said["leak"], "named": names_it(mode.truth, said["named"], said["text"])}


def ask_ours(mode: Mode) -> dict[str, Any]:
    """The same of a check, which serves the mode."""
    with tempfile.TemporaryDirectory() as pages:
        found = one(mode, 0, Path(pages))
    first = leading(found) if found["verdict"] else []
    types = [each["item_type"] for each in first]
    text = "\n".join(line for each in first for line in (each.get("path", ""), each.get("text", ""), *each["lines"]))
    leak = {"leak": True, "no-leak": False}.get(found["verdict"])
    row = {"tool": OURS, "setting": "{}", "kind": mode.module, "mode": mode.name, "seconds": found["seconds"]}
    return row | {"leak": leak, "named": names_it(mode.truth, types, text)}


def names_it(truth: Truth, types: Iterable[str], text: str) -> bool | None:
    """Whether the item is among the types, or the holder or the line in the text; None where nothing can be named."""
    if truth.item is None and truth.holder is None and truth.line is None:
        return None
    if truth.item is not None and any(re.fullmatch(truth.item, name.rpartition(".")[2]) for name in types):
        return True
    if truth.holder is not None and re.search(truth.holder, text):
        return True
    lines = [text, *(line_of(f"{place} in work") for place in PLACE.findall(text))]
    return any(right in line for right in truth.line or () for line in lines)


def is_right(row: dict[str, Any], truths: dict[str, Truth]) -> bool:
    return row["leak"] is not None and row["leak"] == (truths[key(row)].verdict == "leak")


def at_best(rows: list[dict[str, Any]], truths: dict[str, Truth]) -> list[dict[str, Any]]:
    """The rows of each tool at the setting with the most right verdicts, of these with the most right names."""
    found = []
    for tool in dict.fromkeys(row["tool"] for row in rows):
        settings = [
            [row for row in rows if (row["tool"], row["setting"]) == (tool, setting)]
            for setting in dict.fromkeys(row["setting"] for row in rows if row["tool"] == tool)
        ]
        found += max(
            settings,
            key=lambda group: (
                sum(is_right(row, truths) for row in group),
                sum(bool(row.get("named")) for row in group),
            ),
        )
    return found


def overview(rows: list[dict[str, Any]], truths: dict[str, Truth]) -> str:
    """A line for each tool, as Markdown."""
    lines = [
        "| tool | setting | leaks found | right object named | false leaks | no answer | s, median | s, p95 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for tool in dict.fromkeys(row["tool"] for row in rows):
        group = [row for row in rows if row["tool"] == tool]
        leaky = [row for row in group if truths[key(row)].verdict == "leak"]
        found = [row for row in leaky if row["leak"]]
        nameable = [row for row in leaky if names_it(truths[key(row)], (), "") is not None]
        named = sum(bool(row.get("named")) for row in found)
        false = [row for row in group if row["leak"] and row not in leaky]
        seconds = [row["seconds"] for row in group]
        setting = " ".join(f"{name}={value}" for name, value in json.loads(group[0]["setting"]).items()) or "default"
        lines.append(
            f"| {tool} | {setting} | {len(found)} of {len(leaky)} | {named} of {len(nameable)} | "
            f"{len(false)} of {len(group) - len(leaky)} | {sum(row['leak'] is None for row in group)} | "
            f"{np.median(seconds):.0f} | {np.percentile(seconds, 95):.0f} |"
        )
    return "\n".join(lines)


def table(rows: list[dict[str, Any]], truths: dict[str, Truth]) -> str:
    """What each tool says of each mode, as Markdown."""
    tools = list(dict.fromkeys(row["tool"] for row in rows))
    said = {(key(row), row["tool"]): word(row, truths) for row in rows}
    lines = [f"| mode | right | {' | '.join(tools)} |", "|---" * (2 + len(tools)) + "|"]
    for name in dict.fromkeys(key(row) for row in rows):
        cells = " | ".join(said.get((name, tool), "") for tool in tools)
        lines.append(f"| {name} | {'LEAK' if truths[name].verdict == 'leak' else 'none'} | {cells} |")
    return "\n".join(lines)


def word(row: dict[str, Any], truths: dict[str, Truth]) -> str:
    """A verdict: bold where it is wrong, with a tick where the right object is named."""
    plain = {True: "LEAK", False: "none", None: "no answer"}[row["leak"]]
    plain = plain if is_right(row, truths) else f"**{plain}**"
    return f"{plain} ✓" if row["leak"] and row.get("named") and is_right(row, truths) else plain


def compared(only: tuple[str, ...]) -> dict[str, Mode]:
    """The modes that are compared, or those of them that one of the patterns means."""
    modes = every_mode()
    names = [f"{kind}:{name}" for kind, line in COMPARED.items() for name in line.split()]
    return {name: modes[name] for name in names if not only or any(fnmatch.fnmatchcase(name, each) for each in only)}


@click.command()
@click.option("--only", multiple=True, help="kind:mode, also with wildcards; repeatable.")
@click.option("--tool", "tools", multiple=True, help="One of the tools, or ours; repeatable.")
@click.option("--jobs-parallel", default=1, show_default=True, help="Runs at the same time.")
@click.option("--out", default=ROOT / "outputs" / "runs" / "verdict_peers.jsonl", type=click.Path(path_type=Path))
@click.option("--markdown", default=REFERENCE, type=click.Path(path_type=Path), help="Where the tables are written.")
def main(only: tuple[str, ...], tools: tuple[str, ...], jobs_parallel: int, out: Path, markdown: Path) -> None:
    """Ask every tool about every mode, at each of its settings, and print and write the tables."""
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    rows = {(row["tool"], row["setting"], key(row)): row for row in map(json.loads, lines)}
    modes = compared(only)
    tasks: dict[tuple[str, str, str], Callable[[], dict[str, Any]]] = {}
    for mode in modes.values():
        tasks[OURS, "{}", mode.key] = lambda mode=mode: ask_ours(mode)
    for peer in map(Peer.of, sorted(PEERS.glob("by_*.py"))):
        for setting in peer.settings:
            for mode in modes.values():
                task = (peer.name, json.dumps(setting), mode.key)
                tasks[task] = lambda peer=peer, setting=setting, mode=mode: ask(peer, setting, mode)
    wanted = [task for task in tasks if not tools or task[0] in tools]
    with ThreadPoolExecutor(jobs_parallel) as pool, out.open("a", encoding="utf-8") as file:
        for run in as_completed([pool.submit(tasks[task]) for task in wanted if task not in rows]):
            row = run.result()
            rows[row["tool"], row["setting"], key(row)] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{row['tool']} {row['setting']} {key(row)}: {row['leak']} {row['seconds']} s", file=sys.stderr)
    truths = {name: mode.truth for name, mode in modes.items()}
    best = at_best([rows[task] for task in wanted], truths)
    text = (
        "# Beside tools that give a verdict or a growth\n\n"
        f"{len(modes)} modes of `tests/bench/modes/`. A check serves them and sends requests; the others call the same "
        "jobs in their own process, each in an environment of its own, as its documentation says, at that of several "
        "settings which has the most right verdicts here. The right object is named where the item is one of the first "
        "three types, or the holder or the allocating line is told.\n\n"
        f"{overview(best, truths)}\n\nBold is wrong; ✓ names the right object.\n\n{table(best, truths)}\n\n"
        "`tests/bench/verdict_peers.py` wrote this; how each tool is used is in `tests/bench/peers/`.\n"
    )
    if not only and not tools:
        markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
