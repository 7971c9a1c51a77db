"""Checks of a leaky and a clean application beside each of many libraries, with their threads, hooks and proxies alive.

    python tests/bench/libraries.py --only polars

Each module in `using/` sets up one library and says in its first comment what to install (PEP 723). Environments are
made with uv in a cache directory and kept. Each finished library is a line of JSON in the output file; a run that was
broken off goes on where it ended. The table is written as Markdown.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from labserver.processes.leftovers import Mark

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REFERENCE = ROOT / "outputs" / "reference" / "libraries.md"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "labserver-libraries"
NO_APPLICATIONS = ("pair",)
LONGEST_S = 400
RIGHT, UNDECIDED, WRONG = "right", "undecided", "wrong"


@dataclass(frozen=True)
class Recipe:
    """What a module says of itself.

    Attributes:
        name: the module's.
        dependencies: what is to be installed, the library first; nothing for the standard library's.
        kind: what is special about the library.
        refused: words of the refusal, where that is the right answer.
    """

    name: str
    dependencies: tuple[str, ...]
    kind: str
    refused: str | None = None

    @classmethod
    def of(cls, file: Path) -> "Recipe":
        lines = re.search(r"(?ms)^# /// script$\n(.*?)^# ///$", file.read_text(encoding="utf-8"))
        if lines is None:
            raise click.ClickException(f"{file.name} has no block '# /// script' that says what it needs.")
        block = tomllib.loads("".join(line[2:] for line in lines[1].splitlines(keepends=True)))
        return cls(file.stem, tuple(block["dependencies"]), **block["tool"]["libraries"])


@dataclass(frozen=True)
class Check:
    """How one check ended.

    Attributes:
        code: its exit status.
        said: its last line, where there is no verdict.
        orphans: processes that outlived it.
        in_full: it ran without `--fast`, which had not been enough.
    """

    code: int | None
    verdict: str | None = None
    holders: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    bytes_per_job: float | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    said: str = ""
    orphans: int = 0
    in_full: bool = False


def judge(recipe: Recipe, leaky: Check, clean: Check) -> str:
    """Whether both answers are right; undecided where only the clean application's is, and nothing is wrong."""
    if leaky.orphans or clean.orphans:
        return WRONG
    if recipe.refused is not None:
        refused = [
            check.code == 125 and any(recipe.refused in note for note in check.notes) for check in (leaky, clean)
        ]
        return RIGHT if all(refused) else WRONG
    found = (leaky.verdict, leaky.code) == ("leak", 1) and "STORE" in next(iter(leaky.holders), "")
    if found and (clean.verdict, clean.code) == ("no-leak", 0):
        return RIGHT
    return UNDECIDED if found and (clean.verdict, clean.code) == ("inconclusive", 125) else WRONG


def answer(recipe: Recipe, python: Path, attribute: str) -> Check:
    """Check one of the two applications with `--fast`, and in full where that leaves it undecided, as a user would."""
    fast = check(recipe, python, attribute, "--fast")
    if recipe.refused is not None or fast.verdict != "inconclusive":
        return fast
    full = check(recipe, python, attribute)
    return replace(full, in_full=True, orphans=full.orphans + fast.orphans)


def check(recipe: Recipe, python: Path, attribute: str, *options: str) -> Check:
    """Check one of the two applications in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        file, mark = Path(folder) / "result.json", Mark("LABSERVER_LIBRARIES")
        target = [f"using.{recipe.name}:{attribute}", *options, "--request", "GET /work"]
        process = subprocess.Popen(
            [python, "-m", "labserver", "check", *target, "--quiet", "--json", file],
            cwd=HERE,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | mark.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said = process.communicate(timeout=LONGEST_S)[1].strip()
        except subprocess.TimeoutExpired:
            process.kill()
            said = f"It has not ended after {LONGEST_S} s."
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        orphans = mark.end()
    if found is None:
        return Check(process.poll(), said=said.rpartition("\n")[2], orphans=orphans)
    rate = found["bytes_per_job"]
    return Check(
        process.poll(),
        verdict=found["verdict"],
        holders=tuple(item["path"] for item in found["holders"]),
        findings=tuple(item["text"] for item in found["findings"]),
        bytes_per_job=None if rate is None else rate["estimate"],
        notes=tuple(found["notes"]),
        seconds=found["seconds"],
        orphans=orphans,
    )


def environment(recipe: Recipe, python: str, cache: Path) -> Path:
    """The interpreter of an environment with what a module needs, made where it is missing."""
    name = hashlib.sha256(" ".join((python, *recipe.dependencies)).encode()).hexdigest()[:12]
    folder = cache / f"{recipe.name if recipe.dependencies else 'plain'}-{name}"
    if not (folder / "ready").exists():
        uv = [sys.executable, "-m", "uv"]
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([*uv, "venv", "--quiet", "--python", python, folder], check=True, capture_output=True, text=True)
        install = [
            *uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            folder,
            "-r",
            ROOT / "pyproject.toml",
            "--extra",
            "lab",
        ]
        subprocess.run([*install, *recipe.dependencies], check=True, capture_output=True, text=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def version(recipe: Recipe, python: Path) -> str:
    """The library's; Python's for what belongs to it."""
    code = "import platform; print(platform.python_version())"
    if recipe.dependencies:
        name = re.split(r"[\[<>=~!]", recipe.dependencies[0])[0]
        code = f"from importlib.metadata import version; print(version({name!r}))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def one(recipe: Recipe, python: str, cache: Path) -> dict[str, Any]:
    """The row of one library."""
    row: dict[str, Any] = {"library": recipe.name, "python": python, "kind": recipe.kind, "refused": recipe.refused}
    try:
        interpreter = environment(recipe, python, cache)
    except subprocess.CalledProcessError as error:
        return row | {"outcome": "not installed", "failure": error.stderr.strip()[-500:]}
    leaky, clean = (answer(recipe, interpreter, attribute) for attribute in ("leak", "clean"))
    row |= {"outcome": judge(recipe, leaky, clean), "version": version(recipe, interpreter)}
    return row | {"leaky": asdict(leaky), "clean": asdict(clean)}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| library | version | kind | leaky | holder | clean | s | |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        if "failure" in row:
            lines.append(f"| {row['library']} | | {row['kind']} | | | | | {row['outcome']} |")
            continue
        both = [row["leaky"], row["clean"]]
        verdicts = ["refused" if row["refused"] else check["verdict"] or "none" for check in both]
        verdicts = [verdict + " (in full)" * check["in_full"] for verdict, check in zip(verdicts, both, strict=True)]
        holder = next((f"`{path}`" for path in row["leaky"]["holders"]), "")
        seconds = sum(check["seconds"] for check in both)
        lines.append(
            f"| {row['library']} | {row['version']} | {row['kind']} | {verdicts[0]} | {holder} | {verdicts[1]} | "
            f"{seconds:.0f} | {' – '.join((row['outcome'], *reasons(row)))} |"
        )
    return "\n".join(lines)


def reasons(row: dict[str, Any]) -> list[str]:
    """What the checks themselves say of an outcome that is not right."""
    if row["outcome"] == RIGHT:
        return []
    odd = [row[name] for name, verdict in (("leaky", "leak"), ("clean", "no-leak")) if row[name]["verdict"] != verdict]
    return list(dict.fromkeys(" ".join(check["notes"]) or check["said"] for check in odd))


def summary(rows: list[dict[str, Any]]) -> str:
    """The sentence above the table."""
    ran = [row for row in rows if "failure" not in row]
    counts = {outcome: sum(row["outcome"] == outcome for row in ran) for outcome in (RIGHT, UNDECIDED, WRONG)}
    return (
        f"{len(ran)} pairs of a leaky and a clean application, each beside a library: {counts[RIGHT]} right, "
        f"{counts[UNDECIDED]} with the clean one undecided, {counts[WRONG]} wrong; {len(rows) - len(ran)} could not be "
        "installed. Right is: the leaky one is a leak, and its store comes first among the holders; the clean one is "
        "none; no process is left behind. An application whose threads are patched is to be refused. What `--fast` "
        "leaves undecided is checked again in full.\n\n"
        "`tests/bench/libraries.py` wrote this; the applications are in `tests/bench/using/`."
    )


@click.command()
@click.option("--only", multiple=True, help="A module in using/; repeatable.")
@click.option("--python", default=sys.executable, help="A path or a version; this one if not given.")
@click.option(
    "--cache", default=CACHE, show_default=True, type=click.Path(path_type=Path), help="For the environments."
)
@click.option("--out", default=ROOT / "outputs" / "runs" / "libraries.jsonl", type=click.Path(path_type=Path))
@click.option("--markdown", default=REFERENCE, type=click.Path(path_type=Path), help="Where the table is written.")
def main(only: tuple[str, ...], python: str, cache: Path, out: Path, markdown: Path) -> None:
    """Check both applications beside every library, and print and write the table."""
    out.parent.mkdir(parents=True, exist_ok=True)
    recipes = [Recipe.of(file) for file in sorted(HERE.glob("using/*.py")) if file.stem not in NO_APPLICATIONS]
    wanted = {recipe.name: recipe for recipe in recipes if not only or recipe.name in only}
    if unknown := set(only) - wanted.keys():
        raise click.BadParameter(f"there is no module using/{min(unknown)}.py.", param_hint="--only")
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    finished = [row for row in map(json.loads, lines) if row["python"] == python and "failure" not in row]
    rows = {row["library"]: row for row in finished}
    with out.open("a", encoding="utf-8") as file:
        for recipe in wanted.values():
            if recipe.name not in rows:
                rows[recipe.name] = row = one(recipe, python, cache)
                file.write(json.dumps(row) + "\n")
                file.flush()
                print(f"{recipe.name}: {row['outcome']}", file=sys.stderr)
    found = [rows[name] for name in wanted]
    text = f"# Beside other libraries\n\n{summary(found)}\n\n{table(found)}\n"
    if not only:
        markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
