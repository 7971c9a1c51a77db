"""What must hold on every CPython: the wheel with each extra, the tests that look into the interpreter, some notebooks.

`make test-pythons` runs it. Interpreters are looked for among those that `.ci/get_pythons.sh` fetched, on PATH and in
pyenv's folder; one that is missing is a skip, or a failure where `CI` is set. Environments are kept outside the clone,
for as long as the lock and the interpreter stay as they are.
"""

import hashlib
import os
import subprocess
from pathlib import Path

import nox

ROOT = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labserver"
FETCHED = CACHE / "pythons" / "tree" / "usr" / "bin"
PYENV = sorted(Path.home().glob(".pyenv/versions/*/bin"), reverse=True)
EXPECTED = ["3.13", "3.14", "3.15"]
OPTIONAL = ["3.12"]  # the archive has none
OLDEST = "3.11"  # `make test` runs on it
INTERPRETER = ["tests/unit/heap", "tests/unit/targets/attach"]
INTERPRETER += [f"tests/integration/test_{name}.py" for name in ("pythons", "harmlessness", "attach", "injection")]
# On the newest two, as `make test` does on the oldest; on those between, what looks into the interpreter suffices.
TESTS = [*INTERPRETER, "tests/unit/diagnosis", "tests/unit/plugins"]
NOTEBOOKS = ["02", "03", "04"]
ON_MACOS = ["tests/unit", "tests/integration/test_pythons.py", "--ignore=tests/unit/test_docs_build.py"]

os.environ["PATH"] = os.pathsep.join(map(str, [FETCHED, *os.get_exec_path(), *PYENV]))
os.environ["UV_PYTHON_DOWNLOADS"] = "never"


def answers(version: str) -> str:
    """What an interpreter says that it is; empty where there is none: pyenv has stand-ins for those it lacks."""
    try:
        command = [f"python{version}", "-c", "import sys; print(sys.version, sys.executable)"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - no input of a user's
    except (OSError, subprocess.CalledProcessError):
        return ""


FOUND = {version: said for version in (OLDEST, *OPTIONAL, *EXPECTED) if (said := answers(version))}
KEY = hashlib.sha256((ROOT / "requirements.txt").read_bytes() + "".join(FOUND.values()).encode()).hexdigest()[:16]

nox.options.envdir = str(CACHE / "environments" / KEY)
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"


def install(session: nox.Session) -> None:
    """All that the lock has, and the project as it is here."""
    session.install("--quiet", "--require-hashes", "--requirement", "requirements.txt")
    session.install("--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")


@nox.session(python=[*(version for version in OPTIONAL if version in FOUND), *EXPECTED])
def pythons(session: nox.Session) -> None:
    """The tests of the heap and the checks end to end; on the newest those of the diagnosis and the plugins, too."""
    install(session)
    tests = TESTS if session.python in EXPECTED[-2:] else INTERPRETER
    session.run("pytest", "-q", "-n", "2", "--dist", "loadfile", *(session.posargs or tests))


@nox.session(python=[OLDEST, *(version for version in OPTIONAL if version in FOUND), *EXPECTED])
def packages(session: nox.Session) -> None:
    """The wheel with each extra, in empty environments: no more than what builds and tests it is installed here."""
    session.install("--quiet", "--constraint", "requirements.txt", "hatchling", "pytest", "pytest-timeout", "uv")
    session.run("pytest", "-q", *(session.posargs or ["tests/packages"]))


@nox.session(python=EXPECTED)
def macos(session: nox.Session) -> None:
    """What can be tested without Linux: units, and the checks end to end."""
    install(session)
    session.run("pytest", "-q", "-n", "2", "--dist", "loadfile", *(session.posargs or ON_MACOS))


@nox.session(python="3.14")
def notebooks(session: nox.Session) -> None:
    """The incident's notebooks: reproduce, trace, verify."""
    install(session)
    session.run("labserver", "run", *NOTEBOOKS, "--profile", "ci", "--output", session.create_tmp())
