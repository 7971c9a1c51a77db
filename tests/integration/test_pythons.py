"""Whole checks, one for each answer and kind of application: `make test-pythons` runs them on every CPython."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAKY = """
from flask import Flask

class Job:
    def __init__(self, number):
        self.number, self.state, self.image = number, "DONE", bytes(1000)

JOBS = {}
app = Flask(__name__)

@app.get("/work")
def work():
    JOBS[len(JOBS)] = Job(len(JOBS))
    return {"jobs": len(JOBS)}
"""
CLEAN = """
from flask import Flask

app = Flask(__name__)

@app.get("/work")
def work():
    return {"size": len(bytes(2000))}
"""
ASGI = """
KEPT = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    KEPT.append(bytes(2000))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"kept"})
"""


def check(folder, code):
    """Exit code, the JSON result, and all that was said."""
    (folder / "shop.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "labserver", "check", "shop:app", "--request", "GET /work", "--json", "result.json"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    file = folder / "result.json"
    return done.returncode, json.loads(file.read_text()) if file.exists() else None, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("code", "holder"),
    [(LEAKY, "module shop → JOBS → ['…']"), (ASGI, "module shop → KEPT → […]")],
    ids=["wsgi", "asgi"],
)
def test_a_leak_is_told_with_who_holds_it(tmp_path, code, holder):
    exit_code, result, said = check(tmp_path, code)
    assert (exit_code, result["verdict"]) == (1, "leak"), said
    assert result["errors"] == 0
    first = result["holders"][0]
    assert first["path"].startswith(holder)
    assert first["buffer_type"] == "bytes"
    assert first["share_of_growth"] > 0.9
    assert result["findings"] == []  # nothing of it is without a holder


def test_where_nothing_is_kept_there_is_no_leak(tmp_path):
    exit_code, result, said = check(tmp_path, CLEAN)
    assert (exit_code, result["verdict"], result["holders"]) == (0, "no-leak", []), said
