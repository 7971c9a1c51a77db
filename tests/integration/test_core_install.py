"""The core goes into a service's own environment: it replaces nothing there, adds little, and its check works."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = [sys.executable, "-m", "uv"]
# As a service of 2023 has them; nothing in there may be replaced.
OLD = ("flask==2.2.*", "werkzeug==2.2.*", "numpy==1.26.*", "click==8.1.*")
MOST_BYTES = 28_500_000  # half of it are rich and its pygments; labserver itself is 6.5 million, its bytecode included
LEAKY = """
from flask import Flask

app = Flask(__name__)
SESSIONS = {}

@app.get("/work")
def work():
    SESSIONS[len(SESSIONS)] = bytes(3000)
    return {"sessions": len(SESSIONS)}
"""
CLEAN = """
from flask import Flask

app = Flask(__name__)

@app.get("/work")
def work():
    return {"size": len(bytes(3000))}
"""
PLAIN = """
KEPT = []

def app(environ, start_response):
    KEPT.append(bytes(3000))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"kept"]
"""


class Environment:
    """A virtual environment; it is made with uv, whose cache makes that quick."""

    def __init__(self, folder):
        self.folder = folder
        for python in ("3.11", sys.executable):  # the oldest that there is has all the old wheels
            made = run(*UV, "venv", "--quiet", "--allow-existing", "--python", python, folder)
            if made.returncode == 0:
                return
        pytest.fail(made.stderr)

    def install(self, *what):
        done = run(*UV, "pip", "install", "--quiet", "--python", self.folder, *what)
        if done.returncode and "No solution found" not in done.stderr:
            pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
        assert done.returncode == 0, done.stderr

    def packages(self):
        listed = run(*UV, "pip", "freeze", "--quiet", "--python", self.folder).stdout
        return dict(line.split("==") for line in listed.splitlines() if "==" in line)

    def bytes(self):
        """All that is installed, without numpy."""
        files = (path for path in self.folder.glob("lib/python*/site-packages/**/*") if path.is_file())
        return sum(
            path.stat().st_size for path in files if not path.relative_to(self.folder).parts[3].startswith("numpy")
        )

    def labserver(self, folder, *arguments):
        return run(self.folder / "bin" / "labserver", *arguments, cwd=folder)

    def check(self, folder, code):
        folder.mkdir()
        (folder / "shop.py").write_text(code)
        return self.labserver(folder, "check", "shop:app", "--request", "GET /work", "--fast")


def run(*command, cwd=None):
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment = clean | {"UV_PYTHON_DOWNLOADS": "never"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=250)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    built = run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def flask_2(tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp("flask_2"))
    environment.install(*OLD)
    return environment


@pytest.fixture(scope="module")
def bare(tmp_path_factory, wheel):
    environment = Environment(tmp_path_factory.mktemp("bare"))
    environment.install("--compile-bytecode", wheel)  # as pip does: it makes up half of what comes
    return environment


def test_a_service_with_old_packages_keeps_them_and_is_checked(flask_2, wheel, tmp_path):
    packages = flask_2.packages()
    flask_2.install(wheel)
    assert packages.items() <= flask_2.packages().items()
    with ThreadPoolExecutor() as pool:  # a check mostly waits
        leaky, clean = pool.map(flask_2.check, (tmp_path / "leaky", tmp_path / "clean"), (LEAKY, CLEAN))
    assert leaky.returncode == 1, leaky.stdout + leaky.stderr
    assert "shop.SESSIONS keeps" in leaky.stdout
    assert clean.returncode == 0, clean.stdout + clean.stderr


def test_a_service_without_a_framework_is_checked_without_one(bare, tmp_path):
    assert not {"flask", "itsdangerous", "pillow"} & {name.lower() for name in bare.packages()}
    leaky = bare.check(tmp_path / "plain", PLAIN)
    assert leaky.returncode == 1, leaky.stdout + leaky.stderr
    assert "shop.KEPT keeps" in leaky.stdout


def test_it_adds_little_beside_numpy(bare):
    assert bare.bytes() <= MOST_BYTES


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        (["serve"], "labserver serve needs the package Flask: pip install 'labserver[lab]'."),
        (["faceapi"], "labserver faceapi needs the package Flask: pip install 'labserver[lab]'."),
        (["load", "http://127.0.0.1:9"], "The image journey needs the package Pillow: pip install 'labserver[lab]'."),
        (["run"], "pip install 'labserver[notebooks]'."),
        (["report"], "pip install 'labserver[notebooks]'."),
    ],
)
def test_what_the_core_lacks_is_said_in_one_sentence(bare, tmp_path, command, needs):
    done = bare.labserver(tmp_path, *command)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith(f"{needs}\n")
    assert done.stderr.count("\n") == 1


def test_the_doctor_names_the_extra(bare, tmp_path):
    done = bare.labserver(tmp_path, "doctor")
    assert done.returncode == 0, done.stderr
    assert "extra lab" in done.stdout
