import gc
import json
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from labserver.cli import main
from labserver.incident.hosting.embedded import embedded
from labserver.watch.background import Watching
from labserver.watch.sample import Sample

COMMAND = [sys.executable, "-c", "import sys; from labserver.cli import main; sys.exit(main())", "load"]


@pytest.fixture(scope="module")
def server():
    # Large results: what one job leaves must be more than what a collection of this process may take away.
    with embedded(store="leaky", result_px=256) as server:
        yield server


def run(server, *options, iterations=12):
    """The exit code of a short load."""
    with pytest.raises(SystemExit) as ended:
        main(["load", server.url, "--users", "2", "--iterations", str(iterations), "--poll-interval", "0.02", *options])
    return ended.value.code


def test_thresholds_that_hold_are_exit_code_0_with_both_outputs(server, tmp_path, capsys):
    out = tmp_path / "out.json"
    exported = tmp_path / "summary.json"
    thresholds = (
        "http_req_duration{name:status}:p(95)<60000",
        "checks:rate==1",
        "heap_bytes:max<1e12",
        "bytes_per_job>1",
    )
    options = [part for text in thresholds for part in ("--threshold", text)]
    options += ["--out", f"json={out}", "--out", f"csv={tmp_path / 'out.csv'}", "--summary-export", str(exported)]
    gc.collect()  # what other tests have left is not to go in the middle of the slope
    assert run(server, *options, "--poll-policy", "full-jitter", iterations=60) == 0
    table = capsys.readouterr().out
    assert table.count("✓ '") == 4
    points = [json.loads(line) for line in out.read_text().splitlines()]
    (duration,) = [p["data"] for p in points if p["type"] == "Metric" and p["metric"] == "http_req_duration"]
    assert duration["thresholds"] == []  # the one given is about a part of it
    reqs = sum(p["type"] == "Point" and p["metric"] == "http_reqs" for p in points)
    assert reqs == json.loads(exported.read_text())["metrics"]["http_reqs"]["count"]
    assert sum(line.startswith("http_reqs,") for line in (tmp_path / "out.csv").read_text().splitlines()) == reqs


@pytest.mark.parametrize(("option", "key"), [("--json", "http_reqs"), ("--summary-export", "metrics")])
def test_a_dash_is_standard_output_and_the_table_goes_to_standard_error(server, option, key, capsys):
    assert run(server, option, "-", iterations=2) == 0
    captured = capsys.readouterr()
    assert key in json.loads(captured.out)
    assert "http_req_duration" in captured.err


def test_one_that_does_not_hold_is_exit_code_99(server, capsys):
    assert run(server, "--threshold", "http_req_duration:p(95)<0.001", "--threshold", "heap_bytes:avg<1") == 99
    assert capsys.readouterr().out.count("✗ '") == 2


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--threshold", "http_req_duratoin:p(95)<5"], "http_req_duration"),
        (["--threshold", "http_reqs{name:statsu}:count>5"], "status"),
        (["--threshold", "heap_bytes:max<5", "--memory-from", "999999999"], "heap_bytes"),
        (["--threshold", "bytes_per_job<5", "--memory-from", "http://127.0.0.1:1"], "refused"),
        (["--out", "xml=file"], "json=FILE"),
        (["--out", "csv=no/such/file"], "cannot be written"),
        (["--summary-export", "no/such/file"], "no directory no/such"),
        (["--json", "no/such/file"], "no directory no/such"),
        (["--json", "same", "--summary-export", "same"], "the same file"),
        (["--json", "-", "--summary-export", "-"], "the same file"),
        (["--duration", "5", "--iterations", "5"], "not both"),
        (["--poll-policy", "jitter"], "full-jitter"),
        (["--max-poll-interval", "0.1"], "max_poll_interval_s"),
    ],
)
def test_what_cannot_be_judged_or_written_stops_before_anything_starts(server, options, word, capsys):
    before = server.service.live_jobs()
    assert main(["load", server.url, *options]) == 2
    error = capsys.readouterr().err
    assert word in error
    assert len(error.splitlines()) == 1
    assert server.service.live_jobs() == before


def test_resident_memory_is_no_heap(server, capsys):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert main(["load", server.url, "--threshold", "heap_bytes:max<5", "--memory-from", str(other.pid)]) == 2
        other.kill()
    assert "tells of no heap" in capsys.readouterr().err


def written(path):
    """What is in a file so far; whether it can be written is tried by making it and taking it away again."""
    with suppress(FileNotFoundError):
        return path.read_text()
    return ""


def test_ctrl_c_leaves_whole_files_and_judges(server, tmp_path):
    out = tmp_path / "out.json"
    command = [*COMMAND, server.url, "--duration", "60", "--poll-interval", "0.02", "--out", f"json={out}"]
    command += ["--threshold", "iterations:count>1e6"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as loading:
        while '"iterations"' not in written(out):
            assert loading.poll() is None
            time.sleep(0.01)
        loading.send_signal(signal.SIGINT)
        table, _ = loading.communicate(timeout=60)
    assert loading.returncode == 130
    assert "✗ 'count>1000000'" in table
    lines = [json.loads(line) for line in out.read_text().splitlines()]  # the last one is whole, too
    finished = sum(line["type"] == "Point" and line["metric"] == "iterations" for line in lines)
    assert f": {finished}  " in next(line for line in table.splitlines() if line.startswith("  iterations"))


class Leaking:
    what = "a leak of 100 bytes a job"

    def __init__(self, event_at=None, event=""):
        self.jobs, self.event_at, self.event = 0, event_at, event

    def read(self):
        self.jobs += 1
        event = self.event if self.jobs == self.event_at else ""
        return Sample(heap_bytes=1e6 + 100 * self.jobs, finished_jobs=self.jobs, event=event)

    def close(self):
        pass


@pytest.mark.parametrize(
    ("event", "expected"),
    [("", pytest.approx(100)), ("gap: x", pytest.approx(100)), ("restart: x", None), ("another process answers", None)],
)
def test_bytes_per_job_is_the_slope_and_nothing_across_processes(event, expected):
    with Watching(Leaking(2, event), lambda: 0, interval_s=0.005) as watching:
        while len(watching.heap_bytes) < 5:
            time.sleep(0.005)
    assert watching.bytes_per_job == expected
