"""What an installation brings and what its import costs: the core beside other tools, each in an empty environment.

    python tests/bench/install_size.py

It writes outputs/reference/install.md. Packages and bytes are the same in every run on one interpreter; of the CPU
times the least of several is taken.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "outputs" / "reference" / "install.md"
UV = [sys.executable, "-m", "uv"]
RUNS = 9


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool to install.

    Attributes:
        name: of the package.
        what: is installed, a name on the index or a file.
        imports: what a program imports that uses it, by what it is for.
    """

    name: str
    what: str
    imports: dict[str, str]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one costs.

    Attributes:
        version: that was installed.
        packages: that come with it.
        own_bytes: of its own files, their bytecode included.
        other_bytes: of all other packages but numpy.
        numpy_bytes: of numpy with its libraries.
        import_s: CPU seconds of each import, above those of an empty program.
    """

    version: str
    packages: int
    own_bytes: int
    other_bytes: int
    numpy_bytes: int
    import_s: dict[str, float]


def tools(wheel: Path) -> list[Tool]:
    """All that are compared."""
    here = {"the package": "labserver", "`leak_check` in a process": "labserver.diagnosis.measure.in_process"}
    return [
        Tool("labserver", str(wheel), here),
        Tool("memray", "memray", {"the package": "memray"}),
        Tool("pytest-memray", "pytest-memray", {"the package": "pytest_memray"}),
        Tool("objgraph", "objgraph", {"the package": "objgraph"}),
    ]


def run(*command: object) -> str:
    """What a command says; it has to succeed."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    line = [str(word) for word in command]
    return subprocess.run(line, env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def cpu_s(python: Path, code: str) -> float:
    """CPU seconds of a program, the least of several runs."""
    measured = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(python, "-c", code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(measured)


def sizes(packages: Path) -> dict[str, int]:
    """Bytes below each entry of a folder of packages, its bytecode included."""
    found: dict[str, int] = {}
    for path in packages.rglob("*"):
        if path.is_file() and not path.is_symlink():
            first, *_ = parts = path.relative_to(packages).parts
            # The bytecode of a package that is one file lies in a folder beside it.
            top = parts[-1] if first == "__pycache__" else first
            name = top.partition(".")[0].partition("-")[0]
            found[name] = found.get(name, 0) + path.stat().st_size
    return found


def cost_of(tool: Tool, folder: Path) -> Cost:
    """Install a tool into an empty environment, with its bytecode as pip does it, and measure."""
    run(*UV, "venv", "--quiet", "--python", sys.executable, folder)
    run(*UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", folder, tool.what)
    listed = [
        line.partition(" @ ")[0].split("==") for line in run(*UV, "pip", "freeze", "--python", folder).splitlines()
    ]
    (packages,) = folder.glob("lib/python*/site-packages")
    found = sizes(packages)
    own, numpy = found.pop(tool.name.replace("-", "_")), found.pop("numpy", 0)
    python = folder / "bin" / "python"
    said = f"import importlib.metadata as m; print(m.version('{tool.name}'))"
    empty = cpu_s(python, "pass")
    return Cost(
        version=run(python, "-c", said).strip(),
        packages=len(listed) - 1,
        own_bytes=own,
        other_bytes=sum(found.values()),
        numpy_bytes=numpy,
        import_s={what: max(cpu_s(python, f"import {module}") - empty, 0.0) for what, module in tool.imports.items()},
    )


def table_of(costs: dict[str, Cost]) -> str:
    """The page."""
    here = f"CPython {platform.python_version()}, {platform.system()}, {platform.machine()}"
    lines = [
        "# What an installation brings",
        "",
        f"On {here}, each in an empty environment; bytecode is included, as pip writes it. CPU time is that of the",
        f"import above an empty program's, the least of {RUNS} runs.",
        "",
        "`tests/bench/install_size.py` wrote this.",
        "",
        "| package | version | its own files | packages that come with it | their files | and numpy's | import, CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, cost in costs.items():
        imports = ", ".join(
            f"{1000 * seconds:.0f} ms" + ("" if what == "the package" else f" ({what})")
            for what, seconds in cost.import_s.items()
        )
        sizes = [cost.own_bytes, cost.other_bytes, cost.numpy_bytes]
        own, others, numpy = (megabytes(size) if size else "–" for size in sizes)
        cells = [name, cost.version, own, str(cost.packages), others, numpy]
        lines.append(f"| {' | '.join([*cells, imports])} |")
    return "\n".join([*lines, ""])


def megabytes(size: int) -> str:
    """Bytes as a table has them."""
    return f"{size / 1e6:.1f} MB"


def main() -> None:
    """Measure all and write the table."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder / "dist")
        (wheel,) = folder.glob("dist/*.whl")
        costs = {tool.name: cost_of(tool, folder / tool.name) for tool in tools(wheel)}
    TABLE.write_text(table_of(costs), encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
