"""`labserver heap` as its users call it: each bad input is one sentence and the right exit code."""

import json
import os
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import labserver
from labserver.cli import main
from labserver.heap.file import HeapFile

ROOT = Path(labserver.__file__).parents[1]
SERVICE = """
import http.server, sys, threading
import labserver

labserver.listen()
LEAK, CACHE, COUNT = [], {}, [0]

class Session:
    def __init__(self, number):
        self.number, self.data = number, bytes(700)

def work(jobs):
    for _ in range(jobs):
        COUNT[0] += 1
        LEAK.append(Session(COUNT[0]))
        CACHE[COUNT[0]] = bytes(300)
        if len(CACHE) > 200:
            del CACHE[next(iter(CACHE))]

work(300)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        work(int(self.path.strip("/")))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A process that listens to questions, with its number and its address."""
    script = tmp_path_factory.mktemp("service") / "service.py"
    script.write_text(SERVICE)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process.pid, f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


def work(service, jobs):
    urllib.request.urlopen(f"{service[1]}/{jobs}").close()


@pytest.fixture(scope="module")
def heaps(service, tmp_path_factory):
    """Three heaps with work in between."""
    folder = tmp_path_factory.mktemp("heaps")
    files = [folder / f"{name}.heap" for name in "abc"]
    for file in files:
        assert main(["heap", "save", f"pid:{service[0]}", "-o", str(file)]) == 0
        work(service, 50)
    return files


def test_a_heap_is_saved_whole_private_and_says_so(service, tmp_path, capsys):
    file = tmp_path / "mine.heap"
    assert main(["heap", "save", service[1], "-o", str(file)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{file}: ")
    assert "objects" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["mine.heap"]
    heap = HeapFile(file)
    assert heap.about.pid == service[0]
    assert heap.about.target == service[1]
    assert {row["path"] for row in heap.paths("Session")} >= {"module __main__ → LEAK → […] → Session"}
    assert file.stat().st_size <= 40 * heap.record.types.size


def test_a_file_that_is_there_stays_unless_forced(service, tmp_path, capsys):
    file = tmp_path / "mine.heap"
    file.write_text("mine")
    target = f"pid:{service[0]}"
    assert main(["heap", "save", target, "-o", str(file)]) == 2
    assert capsys.readouterr().err == f"labserver: {file} is there already: give another name, or --force.\n"
    assert file.read_text() == "mine"
    assert main(["heap", "save", target, "-o", str(file), "--force"]) == 0
    assert HeapFile(file).record.types.size


@pytest.mark.parametrize(
    ("target", "code", "sentence"),
    [
        ("nonsense", 2, "is no target"),
        ("pid:x", 2, "is no process"),
        ("pid:999999999", 3, "There is no process 999999999."),
        ("pid:{me}", 3, "is this one, which cannot attach to itself; or call labserver.listen() in it."),
        ("http://127.0.0.1:1", 3, "listens on port 1"),
        ("http://example.com", 2, "is not known to be on this machine"),
    ],
)
def test_what_cannot_be_saved_is_one_sentence_and_leaves_nothing(tmp_path, capsys, target, code, sentence):
    assert main(["heap", "save", target.format(me=os.getpid()), "-o", str(tmp_path / "a.heap")]) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_missing_is_said_before_anything_is_asked(tmp_path, capsys):
    assert main(["heap", "save", "pid:999999999", "-o", str(tmp_path / "no" / "a.heap")]) == 2
    assert "there is no directory" in capsys.readouterr().err


def test_an_application_is_started_saved_and_ended(tmp_path, monkeypatch, capsys):
    (tmp_path / "saved_app.py").write_text("KEPT = [bytearray(1000)]\ndef app(environ, start): ...\n")
    monkeypatch.chdir(tmp_path)
    assert main(["heap", "save", "saved_app:app", "-o", "app.heap"]) == 0
    assert "objects" in capsys.readouterr().out
    assert any("saved_app → KEPT" in row["path"] for row in HeapFile("app.heap").paths("bytearray"))


def test_a_heap_is_shown_by_type_module_thread_and_as_a_tree(heaps, capsys):
    assert main(["heap", "show", str(heaps[0])]) == 0
    said = capsys.readouterr().out
    assert said.startswith("HEAP  a.heap: ")
    for part in (
        "By type",
        "By module",
        "Threads",
        "What goes with whom",
        "module __main__",
        "LEAK: list",
        "Session × 300",
    ):
        assert part in said, part
    assert max(map(len, said.splitlines())) <= 110


def test_all_shortest_paths_to_a_name(heaps, capsys):
    assert main(["heap", "show", str(heaps[0]), "--path", "Session"]) == 0
    said = capsys.readouterr().out
    assert "300 paths\n  ├─ module __main__\n  ↓  LEAK\n  ↓  […]\n  ↓  Session\n" in said
    assert main(["heap", "show", str(heaps[0]), "--path", "Sessoin"]) == 2
    assert "did you mean 'Session'?" in capsys.readouterr().err


def test_a_page_is_written_beside(heaps, tmp_path, capsys):
    page = tmp_path / "a.html"
    assert main(["heap", "show", str(heaps[0]), "--html", str(page)]) == 0
    assert "HEAP" in capsys.readouterr().out
    assert "LEAK: list" in page.read_text(encoding="utf-8")


def test_two_heaps_are_compared(heaps, capsys):
    assert main(["heap", "compare", *map(str, heaps[:2])]) == 0
    said = capsys.readouterr().out
    assert "50 × __main__.Session came" in said
    assert "items: 300 → 350\n    module __main__ → LEAK\n" in said
    assert "CACHE" not in said


def test_three_heaps_tell_what_is_kept(heaps, capsys):
    assert main(["heap", "compare", *map(str, heaps)]) == 0
    said = capsys.readouterr().out
    assert "50 × __main__.Session came" in said
    assert "items: 300 → 350 → 400\n    module __main__ → LEAK\n" in said
    assert "CACHE" not in said


def test_heaps_in_the_wrong_order_are_refused(heaps, capsys):
    import re

    first, second = (HeapFile(file).about.taken for file in heaps[:2])
    if first < second:  # within a second nobody can tell
        assert main(["heap", "compare", str(heaps[1]), str(heaps[0])]) == 2
        assert re.search(r"a\.heap is older than .*b\.heap", capsys.readouterr().err)


def check(verdict, estimate, *holders):
    growth = {"estimate": estimate, "low": estimate - 1, "high": estimate + 1, "confidence": 0.99}
    told = [{"path": path, "fingerprint": path, "retained_bytes": 1000, "share_of_growth": 0.5} for path in holders]
    result = {"schema": "labserver.check/1", "target": "shop:app", "verdict": verdict, "jobs": 100, "holders": told}
    return json.dumps(result | {"bytes_per_job": growth})


def test_two_checks_are_compared_before_and_after_a_fix(tmp_path, capsys):
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(check("leak", 2000, "shop → STORE", "shop → LOG"))
    after.write_text(check("no-leak", 3, "shop → LOG"))
    assert main(["heap", "compare", str(before), str(after)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("LEAK → NO LEAK  shop:app\n")
    assert said.index("Gone") < said.index("shop → STORE") < said.index("Still there") < said.index("shop → LOG")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no heap file"),
        (b"PK\3\4 something", "is no heap file"),
        (b"{}", "is no result of a check"),
        (b"{", "cannot be read as a check's result"),
        (b"\x89LSHEAP\n\x02\x00\x00\x00\x00\x00\x00\x00", "is a heap file of version 2.0"),
        (b"\x89LSHEAP\n\x01\x00\x00\x00\x00\x00\x00\x00", "ends early"),
    ],
)
def test_a_file_that_is_none_is_exit_code_2(tmp_path, heaps, capsys, content, sentence):
    file = tmp_path / "other"
    file.write_bytes(content)
    assert main(["heap", "compare", str(file), str(heaps[0])]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_heap_that_ends_within_any_of_its_parts_is_exit_code_2(tmp_path, heaps, capsys):
    whole, file = heaps[0].read_bytes(), tmp_path / "cut.heap"
    for share in (0.01, 0.3, 0.6, 0.9, 0.999):
        file.write_bytes(whole[: int(share * len(whole))])
        assert main(["heap", "show", str(file)]) == 2
        assert capsys.readouterr().err.startswith(f"labserver: {file} ends early")
