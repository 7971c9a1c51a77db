"""A check loads nothing of the incident, nor of the runner of notebooks, in none of its processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEAKY = """
KEPT = []

def app(environ, start_response):
    KEPT.append(bytes(3000))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"kept"]
"""
# Python imports it in each process that it begins.
SITE = """
import atexit, json, os, sys
from pathlib import Path

def tell():
    Path(os.environ["TOLD"], f"{os.getpid()}.json").write_text(json.dumps(sorted(sys.modules)))

atexit.register(tell)
"""
PARTS = ("labserver.cli.check", "labserver.targets.host", "labserver.load.worker")
FOREIGN = ("labserver.incident", "labserver.suite", "flask", "PIL", "itsdangerous", "nbformat", "matplotlib")


def test_a_check_loads_nothing_of_the_incident(tmp_path):
    told = tmp_path / "told"
    told.mkdir()
    (tmp_path / "shop.py").write_text(LEAKY)
    (tmp_path / "sitecustomize.py").write_text(SITE)
    files = ["--json", "it.json", "--html", "it.html", "--junit", "it.xml"]
    done = subprocess.run(
        [sys.executable, "-m", "labserver", "check", "shop:app", "--request", "GET /", "--fast", *files],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "TOLD": str(told)},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    processes = [json.loads(file.read_text()) for file in told.iterdir()]
    for part in PARTS:
        assert sum(part in modules for modules in processes) == 1, part
    for modules in processes:
        assert [name for name in modules if name.startswith(FOREIGN)] == []
