import os
import subprocess
import sys

import pytest

from labserver.errors import CannotRun
from labserver.watch.open import open_source

LISTENING = """
import sys, labserver
from labserver.incident.hosting.embedded import embedded
labserver.listen()
with embedded():
    print("ready", flush=True)
    sys.stdin.read()
    print(sorted(name for name in sys.modules if name.startswith("labserver.diagnosis")), flush=True)
"""


def test_a_process_is_read_from_outside():
    sample = open_source(str(os.getpid())).read()
    assert sample.resident_bytes > sample.private_bytes > 1e6
    assert sample.heap_bytes is None
    assert sample.event == ""


def test_a_process_that_ends_says_so_and_stays_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        source = open_source(f"pid:{process.pid}")
        assert source.read().event == ""
        process.kill()
        process.wait()
    assert [source.read().event, source.read().event] == ["ended", "ended"]
    assert source.read().is_gap


def test_one_that_listens_tells_its_heap_and_its_jobs_and_imports_no_instruments():
    with subprocess.Popen(
        [sys.executable, "-c", LISTENING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as service:
        try:
            assert service.stdout.readline() == "ready\n"
            source = open_source(str(service.pid))
            sample = source.read()
            assert "instruments" in source.what
            assert 1e6 < sample.heap_bytes < sample.resident_bytes
            assert (sample.live_jobs, sample.finished_jobs) == (0, 0)
            source.close()
            service.stdin.close()
            assert service.stdout.readline() == "[]\n"
        finally:
            service.kill()


def test_a_number_that_is_no_process_is_one_sentence():
    with pytest.raises(CannotRun, match="There is no process 999999999"):
        open_source("999999999")
