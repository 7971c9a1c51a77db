import io
import signal
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from labserver.cli import _watch_view, main
from labserver.heap.monitor import Curve
from labserver.incident.hosting.embedded import embedded
from labserver.watch.sample import Sample

COMMAND = [sys.executable, "-c", "import sys; from labserver.cli import main; sys.exit(main())", "watch"]


@pytest.fixture(scope="module")
def server():
    with embedded() as server:
        yield server


def test_a_watch_prints_a_line_a_sample_and_its_last_words(server, tmp_path, capsys):
    path = tmp_path / "watch.csv"
    assert main(["watch", server.url, "--interval", "0.05", "--duration", "0.2", "--csv", str(path)]) == 0
    first, *lines, account, advice = capsys.readouterr().out.splitlines()
    assert first.startswith(f"watching {server.url}/actuator/metrics/jvm.memory.used")
    assert len(Curve.from_csv(path).rows) == len(lines) >= 5
    read = [line for line in lines if not line.endswith("gap: the answer before it was late")]  # on a busy machine
    assert all("heap" in line and "done 0" in line for line in read)
    assert account.startswith(f"{len(read)} readings of heap")
    assert read
    assert "labserver check" in advice


def test_quiet_prints_the_last_words_only(server, capsys):
    assert main(["watch", server.url, "--interval", "0.05", "--duration", "0.1", "-q"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_file_that_is_there_is_exit_code_2_and_stays(server, tmp_path, capsys):
    path = tmp_path / "watch.csv"
    path.write_text("mine")
    assert main(["watch", server.url, "--csv", str(path)]) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_what_cannot_be_watched_leaves_no_file(tmp_path, capsys):
    path = tmp_path / "watch.csv"
    assert main(["watch", "999999999", "--csv", str(path)]) == 3
    assert capsys.readouterr().err.startswith("labserver: There is no process")
    assert not path.exists()


def test_ctrl_c_ends_in_good_order_with_the_lines_so_far(server, tmp_path):
    path = tmp_path / "watch.csv"
    command = [*COMMAND, server.url, "--interval", "0.1", "--duration", "60", "--csv", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        lines = [watching.stdout.readline() for _ in range(4)]  # flushed one by one, or this would wait for ever
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert err == ""
    assert "readings of heap" in out
    assert len(lines) == 4
    assert len(Curve.from_csv(path).rows) >= 3


def test_the_end_of_the_process_is_told(tmp_path, capsys):
    path = tmp_path / "watch.csv"
    program = tmp_path / "Watched"  # whose name is told as it is written
    program.symlink_to(sys.executable)
    with subprocess.Popen([program, "-c", "input()"], stdin=subprocess.PIPE) as process:

        def end():
            while not path.exists() or len(path.read_text().splitlines()) < 3:
                time.sleep(0.01)
            process.kill()

        ending = threading.Thread(target=end, daemon=True)
        ending.start()
        assert main(["watch", str(process.pid), "--interval", "0.05", "--duration", "60", "--csv", str(path)]) == 3
        ending.join()
    captured = capsys.readouterr()
    assert captured.err == f"labserver: What was watched has ended: process {process.pid} (Watched).\n"
    assert path.read_text().splitlines()[-1].endswith(",ended")
    assert Curve.from_csv(path).marks[-1][0] == "ended"


def test_the_sparkline_shows_gaps_and_restarts_and_never_fills_them():
    heaps = [1, 2, None, None, 8, 1]
    recent = [
        Sample(heap_bytes=heap, resident_bytes=5, event="restart: x" if n == 4 else "") for n, heap in enumerate(heaps)
    ]
    assert _watch_view.sparkline(recent) == "▁▂··│█▁"


def test_on_a_terminal_the_table_has_a_sparkline(monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(_watch_view, "Console", lambda: console)
    with _watch_view.view("it", quiet=False) as show:
        for heap in (1e6, 2e6, None):
            show(Sample(heap_bytes=heap, event="" if heap else "gap: answered 500"))
    text = screen.getvalue()
    assert "▁█·" in text
    assert "gap: answered 500" in text
    assert "2.00 MB" in text


def test_a_reader_that_leaves_ends_the_watch_without_a_traceback(server):
    command = [*COMMAND, server.url, "--interval", "0.05", "--duration", "600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout.readline().startswith("watching ")
        watching.stdout.close()
        assert watching.wait(60) == 141
        assert watching.stderr.read() == ""


def test_a_file_in_a_folder_that_is_not_there_is_one_sentence(server, tmp_path, capsys):
    assert main(["watch", server.url, "--csv", str(tmp_path / "none" / "watch.csv")]) == 2
    error = capsys.readouterr().err
    assert "cannot be written (No such file or directory)" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "options", [["--interval", "nan"], ["--interval", "inf"], ["--interval", "0"], ["--duration", "10 minutes"]]
)
def test_what_is_no_duration_is_refused(options, capsys):
    assert main(["watch", "1", *options]) == 2
    assert f"Error: Invalid value for '{options[0]}'" in capsys.readouterr().err
