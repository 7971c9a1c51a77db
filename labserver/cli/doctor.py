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
    "lab": "labserver serve and faceapi, and a load of images",
    "asgi": "checks of ASGI applications as uvicorn serves them",
    "notebooks": "labserver run and labserver report",
    "pdf": "the post-mortem as PDF",
    "stores": "the store ttl-lazy",
    "redis": "the store redis",
    "metrics": "the service's metrics for Prometheus",
    "bench": "the benchmarks",
    "docs": "make docs",
    "dev": "the project's own tests",
}
_NO_BOOKS = "figures without tracing: they need CPython, glibc and psutil 7.2; a check traces instead, which costs time"
_NO_KOREAN = "the post-mortem as PDF in Korean, and the words in its figures: pip install 'labserver[pdf]'"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


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

    from labserver.heap.process_memory import heap_bytes
    from labserver.incident.postmortem import fonts, pdf
    from labserver.system import CAN_FORK

    yield _python()
    yield "memory", f"{psutil.virtual_memory().total / 2**30:.1f} GiB", ""
    yield "CPUs", str(os.cpu_count() or "unknown"), ""
    yield _present("allocators' books", heap_bytes() is not None, _NO_BOOKS)
    yield _present("fork", CAN_FORK and hasattr(os, "fork"), "heap graphs without a stall; listening in forked workers")
    yield _present(
        "/proc", Path("/proc/self/smaps_rollup").exists(), "memory that is mapped directly, apart from the heap"
    )
    yield _asgi_server()
    yield from _attaching()
    yield _tool("Graphviz dot", ("dot",), "pictures of reference chains")
    yield _tool("Chromium", _BROWSERS, "the browser tests")
    yield _tool("redis-server", ("redis-server",), "the store redis")
    yield _present("PDF", not pdf.why_not(), f"the post-mortem as PDF. {pdf.why_not()}")
    yield _present("Korean fonts", fonts.korean() is not None, _NO_KOREAN)
    yield from _extras()


def _python() -> Row:
    implementation = platform.python_implementation()
    here = f"{platform.python_version()} ({implementation})"
    return "Python", here, "" if implementation == "CPython" else "exact figures, heap graphs and allocation sites"


def _attaching() -> Iterator[Row]:
    """How an agent gets into a service that runs already and does not call `labserver.listen()`."""
    from labserver.targets.attach.abilities import abilities

    for way in abilities():
        yield f"attach: {way.name}", "missing" if way.missing else way.reach, way.missing


def _asgi_server() -> Row:
    """What serves ASGI applications; a2wsgi matters only where there is no uvicorn."""
    title = "ASGI server"
    if _installed("uvicorn"):
        return title, "uvicorn", ""
    if _installed("a2wsgi"):
        return title, "a2wsgi", "ASGI applications as uvicorn serves them: pip install 'labserver[asgi]'"
    return title, "missing", "checks of ASGI applications: pip install 'labserver[asgi]'"


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
