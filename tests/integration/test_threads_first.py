"""Whole checks of applications whose jobs leave threads: these lead, and what they hold folds under them."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SESSIONS = """
    import queue
    import threading
    from flask import Flask

    app = Flask(__name__)

    class Session(threading.Thread):
        def __init__(self):
            super().__init__(daemon=True)
            self.inbox = queue.Queue(maxsize=10_000)

        def run(self):
            self.inbox.put(bytes(6_000))
            threading.Event().wait()

    @app.get("/work")
    def work():
        Session().start()
        return "ok"
"""
POOLS = """
    from concurrent.futures import ThreadPoolExecutor
    from flask import Flask

    app, POOLS = Flask(__name__), []

    @app.get("/work")
    def work():
        POOLS.append(ThreadPoolExecutor(1))
        POOLS[-1].submit(int).result()
        return "ok"
"""


@pytest.mark.parametrize(
    ("code", "runs", "line"),
    [
        (SESSIONS, "Session.run (shop.py:13)", "shop.py:19 in work"),
        (POOLS, "_worker (concurrent/", "shop.py:10 in work"),
    ],
    ids=["class", "pool"],
)
def test_threads_lead(tmp_path, code, runs, line):
    (tmp_path / "shop.py").write_text(textwrap.dedent(code))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "labserver", "check", "shop:app", "--request", "GET /work"),
            *("--fast", "--max-jobs", "200", "--challenge", "1", "--json", "result.json"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads((tmp_path / "result.json").read_text())
    assert (done.returncode, result["verdict"]) == (1, "leak"), done.stdout + done.stderr
    first = result["findings"][0]
    assert first["kind"] == "threads"
    assert f"threads {runs}" in first["text"]
    assert f"started at {line}" in first["text"]
    assert not [one["path"] for one in first["holders"] if "thread" not in one["path"]]
    assert first["holders"]
    assert "may only be filling up" not in done.stdout
    page = done.stdout.splitlines()
    leading = next(at for at, text in enumerate(page) if "threads" in text and "were started" in " ".join(page[at:]))
    assert not any(text.startswith("1. ") for text in page[:leading])
