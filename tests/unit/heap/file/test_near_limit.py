import logging
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import labserver
from labserver.errors import CannotLook, UsageError
from labserver.heap.file import HeapFile, near_limit
from labserver.heap.file.near_limit import watch_the_limit

ROOT = Path(labserver.__file__).parents[1]


def watch(path, shares, monkeypatch):
    """Watch a limit of which these shares are taken, one after another, and wait for the end."""
    monkeypatch.setattr(near_limit, "_EVERY_S", 0.0)
    before = set(threading.enumerate())
    left = iter(shares)
    watch_the_limit(path, at=0.9, fullness=lambda: next(left))
    for thread in set(threading.enumerate()) - before:
        thread.join()
    return list(left)


def test_a_heap_is_written_once_as_soon_as_the_share_is_taken(tmp_path, monkeypatch, caplog):
    path = tmp_path / "oom.heap"
    with caplog.at_level(logging.WARNING, "labserver"):
        assert watch(path, [0.5, None, 0.89, 0.91, 0.99], monkeypatch) == [0.99]
    heap = HeapFile(path)
    assert heap.about.pid == os.getpid()
    assert heap.about.target == "at 91% of the memory limit"
    assert [one.name for one in tmp_path.iterdir()] == ["oom.heap"]
    assert "wrote" in caplog.text


def test_what_does_not_fit_is_logged_with_its_figures_and_leaves_no_file(tmp_path, monkeypatch, caplog):
    def refuse(*_, **__):
        raise CannotLook("it needs about 113 MiB")

    monkeypatch.setattr(near_limit, "save_heap", refuse)
    with caplog.at_level(logging.WARNING, "labserver"):
        watch(tmp_path / "oom.heap", [0.95], monkeypatch)
    assert "wrote no heap file at 95 % of the memory limit: it needs about 113 MiB" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at", [0, 1, 90, -0.5, float("nan")])
def test_a_share_that_is_none_is_refused(tmp_path, at):
    with pytest.raises(UsageError, match="is no share of the memory limit"):
        watch_the_limit(tmp_path / "oom.heap", at=at)


def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path):
    with pytest.raises(UsageError, match="there is no directory"):
        watch_the_limit(tmp_path / "no" / "oom.heap", at=0.9)


LIMITED = """
    import resource, sys, time
    from pathlib import Path
    import psutil, labserver

    limit = psutil.Process().memory_info().vms + (600 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    labserver.listen(dump_on_oom=sys.argv[1] + "/{pid}.heap", at=0.8)
    KEPT = []
    file = Path(sys.argv[1], f"{psutil.Process().pid}.heap")
    for _ in range(2000):
        if file.exists():
            print("written", flush=True)
            break
        if psutil.Process().memory_info().vms < 0.85 * limit:
            KEPT.append(bytes(1 << 20))
        else:
            time.sleep(0.05)
"""


@pytest.mark.linux("limits of the address space")
def test_a_service_near_its_own_limit_leaves_a_heap_that_names_the_holder(tmp_path):
    script = tmp_path / "service.py"
    script.write_text(textwrap.dedent(LIMITED))
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=200, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "written\n", done.stderr
    (file,) = tmp_path.glob("*.heap")
    assert "module __main__ → KEPT → […] → bytes" in {row["path"] for row in HeapFile(file).paths("bytes")}
