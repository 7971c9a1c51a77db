"""Where a result comes from: sources, versions, parameters and machine, and nothing that names a person or a host."""

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import psutil

import labserver
from labserver.files import write_json
from labserver.suite.plan import Step

SCHEMA = "labserver.provenance/1"
FILE_NAME = "provenance.json"

_GIT_TIMEOUT_S = 5


def write_provenance(
    run_dir: Path,
    steps: Sequence[Step],
    profile: str | None,
    started: datetime,
    *,
    ended: datetime | None,
) -> Path:
    """Write ``provenance.json`` (schema ``labserver.provenance/1``); ``ended`` is None while the run goes on."""
    folder = steps[0].notebook.parent if steps else Path.cwd()
    parameters = {step.name: step.parameters for step in steps}
    document = {
        "schema": SCHEMA,
        "started": started.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds") if ended else None,
        "profile": profile,
        "parameters": parameters,
        "sha256": {
            "notebooks": {step.name: notebook_digest(step.notebook) for step in steps},
            "package": package_digest(Path(labserver.__file__).parent),
            "parameters": _sha256([json.dumps(parameters, sort_keys=True).encode()]),
            "requirements": _requirements_digest(folder),
        },
        "versions": _versions(),
        "machine": _machine(),
        "git": _git(folder),
    }
    path = run_dir / FILE_NAME
    write_json(path, document)
    return path


def notebook_digest(path: Path) -> str:
    """The digest of what a notebook says, not of its outputs, counts, ids or the editor's metadata."""
    notebook = nbformat.read(path, as_version=4)
    cells = [
        {"type": cell.cell_type, "source": cell.source, "tags": sorted(cell.metadata.get("tags", []))}
        for cell in notebook.cells
    ]
    return _sha256([json.dumps(cells, sort_keys=True).encode()])


def package_digest(root: Path) -> str:
    """The digest of all files of a package with their names, in sorted order; compiled files do not count."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return _sha256(part for path in files for part in (path.relative_to(root).as_posix().encode(), path.read_bytes()))


def _sha256(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        # The length keeps two neighbours from being taken for one another.
        digest.update(f"{len(part)}:".encode())
        digest.update(part)
    return digest.hexdigest()


def _requirements_digest(folder: Path) -> str | None:
    for candidate in (folder, *folder.parents):
        if (candidate / "pyproject.toml").is_file():
            path = candidate / "requirements.txt"
            return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    return None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "implementation": platform.python_implementation()}
    try:
        required = metadata.requires("labserver") or []
    except metadata.PackageNotFoundError:
        required = []
    names = {
        re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required if "extra ==" not in line or "notebooks" in line
    }
    for name in sorted(names | {"labserver"}):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _machine() -> dict[str, str | int | None]:
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cpu_count": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
    }


def _git(folder: Path) -> dict[str, Any] | None:
    """The commit and whether the tree differs from it; None without git, without a repository, or when git is slow."""
    try:
        commit = _git_output(folder, "rev-parse", "HEAD").strip()
        return {"commit": commit, "dirty": bool(_git_output(folder, "status", "--porcelain").strip())}
    except (OSError, subprocess.SubprocessError):
        return None


def _git_output(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_GIT_TIMEOUT_S)  # noqa: S603 - fixed arguments
    return done.stdout
