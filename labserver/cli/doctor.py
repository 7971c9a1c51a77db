"""``labserver doctor``: what this machine has and lacks, and what that switches off."""

import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import click

Row = tuple[str, str, str]

_SWITCHED_OFF = {
    "notebooks": "labserver run and labserver report",
    "pdf": "the post-mortem as PDF",
    "redis": "results in Redis",
    "scale": "load from many machines",
    "bench": "the benchmarks",
    "dev": "the project's own tests",
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@click.command("doctor")
def doctor() -> None:
    """Show what this machine has and lacks, and what that switches off."""
    from rich.console import Console
    from rich.table import Table

    table = Table("", "here", "without it", title="labserver doctor")
    for row in rows():
        table.add_row(*row)
    Console().print(table)


def rows() -> Iterator[Row]:
    """What was looked for, what was found, and what is switched off where it is missing."""
    import psutil

    yield "Python", f"{platform.python_version()} ({platform.python_implementation()})", ""
    yield from _extras()
    yield _tool("Graphviz dot", ("dot",), "pictures of reference chains")
    yield _tool("Chromium", _BROWSERS, "the browser tests and PDF through the browser")
    yield "memory", f"{psutil.virtual_memory().total / 2**30:.1f} GiB", ""
    yield "CPUs", str(os.cpu_count() or "unknown"), ""
    yield _present("/proc", Path("/proc/self/smaps_rollup").exists(), "native memory apart from Python's")
    yield _present("fork", hasattr(os, "fork"), "heap graphs without a stall")


def _extras() -> Iterator[Row]:
    for extra, packages in _packages_by_extra().items():
        missing = [name for name in packages if not _installed(name)]
        here = "present" if not missing else f"missing: {', '.join(missing)}"
        yield f"extra {extra}", here, _SWITCHED_OFF.get(extra, "") if missing else ""


def _packages_by_extra() -> dict[str, list[str]]:
    try:
        requirements = metadata.requires("labserver") or []
    except metadata.PackageNotFoundError:
        return {}
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        marked = re.search(r"extra == ['\"]([^'\"]+)['\"]", requirement)
        if marked:
            extras.setdefault(marked[1], []).append(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
    return extras


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _tool(title: str, names: tuple[str, ...], switched_off: str) -> Row:
    return _present(title, any(shutil.which(name) for name in names), switched_off)


def _present(title: str, here: bool, switched_off: str) -> Row:
    return (title, "present", "") if here else (title, "missing", switched_off)
