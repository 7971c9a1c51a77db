"""The built wheel installs into an empty environment with each of its extras, and checks there what it is for."""

import functools
import os
import re
import subprocess
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
UV = [sys.executable, "-m", "uv"]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
WSGI = """
KEPT = []

def app(environ, start_response):
    KEPT.append(bytes(3000))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"kept"]
"""
ASGI = """
KEPT = []

async def app(scope, receive, send):
    if scope["type"] == "http":
        KEPT.append(bytes(3000))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"kept"})
"""
CALLABLE = """
from labserver.diagnosis import leak_check

kept = []
result = leak_check(lambda: kept.append(bytes(3000)))
assert result.verdict == "leak", result
assert "kept" in result.holders[0].path, result.holders[0]
"""
# What each extra is for, in a sentence of Python that fails where it is missing.
USES = {
    "asgi": "import uvicorn",
    "bench": "import memray, pympler.asizeof; from guppy import hpy",
    "dev": "import hypothesis, mypy, playwright, pytest, sphinx",
    "docs": "import furo, myst_nb, sphinx",
    "lab": "from labserver.incident.service import create_app; create_app()",
    "metrics": "import prometheus_client",
    "notebooks": "import papermill, matplotlib.pyplot; from labserver.suite import engine",
    # Not imported: WeasyPrint needs the system's Pango, and the package of the fonts an old CPython.
    "pdf": "import fontTools, importlib.metadata as m; m.version('weasyprint'), m.version('koreanize_matplotlib')",
    "redis": "import redis",
    "stores": "import cachetools",
}


def run(*command, cwd=None):
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment = clean | {"UV_PYTHON_DOWNLOADS": "never"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=250)


def succeed(*command, cwd=None):
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    succeed(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel):
    """Install the wheel with an extra, once: the environment, and how that ended."""

    @functools.cache
    def install(extra):
        folder = tmp_path_factory.mktemp("environments") / (extra or "core")
        succeed(*UV, "venv", "--quiet", "--python", sys.executable, folder)
        what = f"{wheel}[{extra}]" if extra else wheel
        return folder, run(*UV, "pip", "install", "--quiet", "--python", folder, what)

    return install


def has_no_binary(said):
    """Compiled packages come late for a new CPython, and what builds them is not the question here."""
    return re.search(r"Failed to build|Failed building", said)


def test_every_extra_is_tried():
    assert USES.keys() == EXTRAS.keys()


@pytest.mark.parametrize("extra", ["", *EXTRAS], ids=lambda extra: extra or "core")
def test_an_empty_environment_takes_it(installed, extra):
    environment, done = installed(extra)
    if extra == "bench" and has_no_binary(done.stderr):
        pytest.xfail(f"the tools to compare with are not there yet for CPython {sys.version_info.minor}")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"labserver, version \d+\.\d+\.\d+\n", succeed(environment / "bin" / "labserver", "--version"))
    python = environment / "bin" / "python"
    succeed(python, "-c", USES[extra] if extra else "import labserver.diagnosis")
    succeed(*UV, "pip", "check", "--quiet", "--python", environment)


@pytest.mark.parametrize(("extra", "code"), [("", WSGI), ("asgi", ASGI)], ids=["core", "asgi"])
def test_a_leaky_application_is_found_in_it(installed, tmp_path, extra, code):
    environment, _ = installed(extra)
    (tmp_path / "shop.py").write_text(code, encoding="utf-8")
    done = run(environment / "bin" / "labserver", "check", "shop:app", "--request", "GET /", "--fast", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "shop.KEPT keeps" in done.stdout


def test_a_leaky_callable_is_found_in_it(installed, tmp_path):
    environment, _ = installed("")
    (tmp_path / "job.py").write_text(CALLABLE, encoding="utf-8")
    succeed(environment / "bin" / "python", "job.py", cwd=tmp_path)


def test_it_runs_without_being_installed(wheel, tmp_path):
    """As `uvx` does: in an environment of its own, with the application's packages beside it."""
    (tmp_path / "shop.py").write_text(WSGI, encoding="utf-8")
    uvx = [*UV, "tool", "run", "--quiet", "--python", sys.executable, "--with", "flask", "--from", wheel, "labserver"]
    done = run(*uvx, "check", "shop:app", "--request", "GET /", "--fast", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "shop.KEPT keeps" in done.stdout


def test_the_wheel_carries_what_runs_and_nothing_else(wheel):
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        said = Parser().parsestr(archive.read(metadata).decode())
    assert {name.partition("/")[0] for name in names} == {"labserver", metadata.partition("/")[0]}
    assert not [name for name in names if re.search(r"__pycache__|/tests?/|\.ipynb$", name)]
    assert {"labserver/py.typed", "labserver/load/photos/README.md"} <= {*names}
    assert said["Requires-Python"] == ">=3.11"
    assert {*said.get_all("Provides-Extra")} == EXTRAS.keys()
