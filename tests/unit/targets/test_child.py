import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

from labserver.errors import CannotRun
from labserver.heap.meters import wait_until
from labserver.heap.wire import AnswerTimes
from labserver.processes import output
from labserver.processes.running import runs
from labserver.targets import child as module
from labserver.targets import instrumented
from labserver.targets.child import child

CODE = """
import os, signal, subprocess, sys, threading, time

class Part:
    def start(self):
        self.started = True
    def close(self):
        open("closed", "w").close()

def create():
    app.extensions = {"part": Part(), "other": object(), "none": None}
    return app

class App:
    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/die":
            print("out of paper"); os.kill(os.getpid(), signal.SIGSEGV); time.sleep(9)
        if path == "/child":
            subprocess.Popen(["sleep", "600"])
        if path == "/read":
            body = sys.stdin.read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        part = getattr(self, "extensions", {}).get("part")
        return [f"{part and part.started} {sys.argv} {sorted(k for k in os.environ if 'GLIBC' in k)}".encode()]

app = App()
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    (tmp_path / "shop.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(module.__file__).parents[2]))
    return tmp_path


@pytest.mark.usefixtures("shop")
def test_an_application_is_served_measured_and_gone():
    with child("shop:app") as process:
        assert requests.get(process.url, timeout=60).text == "None ['labserver'] []"
        assert process.floor().heap_bytes > 1_000_000
        directory = process._directory
        assert directory.stat().st_mode & 0o777 == 0o700
        assert process.alive()
    assert not process.alive()
    assert not psutil.pid_exists(process.pid)
    assert not directory.exists()


def test_what_an_application_has_to_start_is_started_and_closed(shop):
    with child("shop:create") as process:
        assert requests.get(process.url, timeout=60).text.startswith("True")
        assert not (shop / "closed").exists()
    assert (shop / "closed").exists()


@pytest.mark.usefixtures("shop")
def test_standard_input_is_empty_and_what_it_started_ends_with_it():
    with child("shop:app") as process:
        requests.get(process.url + "/read", timeout=60)
        requests.get(process.url + "/child", timeout=60)
        (grandchild,) = psutil.Process(process.pid).children()
    assert wait_until(lambda: not runs(grandchild), timeout_s=60)


@pytest.mark.usefixtures("shop")
def test_a_death_is_told_with_the_last_words():
    with child("shop:app") as process:
        with pytest.raises(requests.ConnectionError):
            requests.get(process.url + "/die", timeout=60)
        with pytest.raises(CannotRun, match=r"was killed by SIGSEGV; its last output: out of paper\."):
            process.floor()


def test_a_signal_without_a_name_is_told_by_its_number():
    assert module.how_it_ended(-40) == "was killed by signal 40"


@pytest.mark.usefixtures("shop")
def test_silence_is_told(monkeypatch):
    monkeypatch.setattr(instrumented, "ANSWER_TIMES", AnswerTimes(prompt_s=0.2))
    with child("shop:app") as process:
        psutil.Process(process.pid).suspend()
        began = time.monotonic()
        with pytest.raises(CannotRun, match="did not answer 'floor' within 0 s"):
            process.floor()
    assert time.monotonic() - began < 30


@pytest.mark.usefixtures("shop")
def test_an_unknown_instrument_is_a_sentence():
    with child("shop:app") as process, pytest.raises(CannotRun, match="there is no command 'sites'"):
        process.sites()


@pytest.mark.usefixtures("shop")
def test_a_long_temporary_path_still_has_a_socket(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with child("shop:app") as process:
        assert process.floor().threads > 0
    assert list(deep.iterdir()) == []


@pytest.mark.usefixtures("shop")
def test_output_without_end_is_bounded(monkeypatch):
    monkeypatch.setattr(output, "MOST_OUTPUT_BYTES", 10)
    with child("shop:app") as process:
        os.write(process._output.file.fileno(), b"a line of many\n" * 10)
        process.floor()
        assert process.last_output() == ""


@pytest.mark.usefixtures("shop")
def test_a_parent_that_vanishes_takes_the_application_along():
    code = (
        "import os, signal\nfrom labserver.targets.child import child\nwith child('shop:app') as process:\n"
        "    print(process.pid, process._directory, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    pid, directory = done.stdout.split()
    assert wait_until(lambda: not Path(directory).exists(), timeout_s=60)
    assert wait_until(lambda: not lives(int(pid)), timeout_s=60)


def lives(pid):
    with suppress(psutil.NoSuchProcess):
        return runs(psutil.Process(pid))
    return False
