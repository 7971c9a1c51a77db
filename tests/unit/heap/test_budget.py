import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from labserver.errors import CannotLook
from labserver.heap import budget
from labserver.heap.budget import look_budget

MIB = 1 << 20


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with a gigabyte free, and a process with 400,000 blocks of 64 bytes that is in no control group."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1024 * MIB}))
    monkeypatch.setattr(sys, "getallocatedblocks", lambda: 400_000)
    monkeypatch.setattr(budget, "small_objects_bytes", lambda: 25 * MIB)
    monkeypatch.setattr(budget, "_GROUPS", tmp_path)
    monkeypatch.setattr(budget, "control_groups", lambda: iter(()))
    return tmp_path


@pytest.fixture
def groups(machine, monkeypatch):
    """Its control groups, as files."""
    monkeypatch.undo()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1024 * MIB}))
    monkeypatch.setattr(sys, "getallocatedblocks", lambda: 400_000)
    monkeypatch.setattr(budget, "small_objects_bytes", lambda: 25 * MIB)
    monkeypatch.setattr(budget, "_GROUPS", machine)
    read = Path.read_text

    def write(line, **files):
        own = line.split(":", 2)[2].lstrip("/")
        folder = machine / ("memory" if "memory" in line else "") / own
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("_", ".", 1)).write_text(f"{text}\n", encoding="ascii")
        monkeypatch.setattr(
            Path, "read_text", lambda path, **_: line if str(path) == "/proc/self/cgroup" else read(path, **_)
        )

    return write


@pytest.mark.usefixtures("machine")
def test_half_of_what_is_free_less_the_pages_that_are_copied():
    assert look_budget().max_bytes == (512 - 25) * MIB


def test_a_control_group_counts_with_what_it_can_give_back(groups):
    groups("0::/service", memory_max=300 * MIB, memory_current=250 * MIB, memory_stat=f"inactive_file {150 * MIB}")
    assert look_budget().max_bytes == (100 - 25) * MIB
    groups("4:cpu,memory:/pod", memory_limit_in_bytes=400 * MIB, memory_usage_in_bytes=200 * MIB)
    assert look_budget().max_bytes == (100 - 25) * MIB


def test_a_group_without_a_limit_does_not_count(groups):
    groups("0::/service", memory_max="max", memory_current=250 * MIB)
    assert look_budget().max_bytes == (512 - 25) * MIB


def test_what_does_not_fit_is_refused_with_the_numbers(groups):
    groups("0::/service", memory_max=100 * MIB, memory_current=60 * MIB)
    with pytest.raises(CannotLook) as refused:
        look_budget()
    assert str(refused.value) == (
        "it needs about 113 MiB (25 of them copied pages), and of the 40 MiB that are free in the control group "
        "/service it takes half at most"
    )


LIMITED = """
    import resource, sys, types
    from labserver.diagnosis.instruments import Instruments

    shop = sys.modules["shop"] = types.ModuleType("shop")
    shop.KEPT, instruments = [], Instruments()
    instruments.baseline()
    resource.setrlimit(resource.RLIMIT_AS, ({soft}, {hard}))
    shop.KEPT += [bytes(1000) for _ in range(1000)]
    try:
        (first, *_) = instruments.growth().holders
        print(first.path, first.buffers)
    except Exception as error:
        print(type(error).__name__, error)
"""


def of_a_limited_process(*, soft, hard):
    code = textwrap.dedent(LIMITED.format(soft=soft, hard=hard))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True)
    return done.stdout.strip()


@pytest.mark.linux("no other system enforces it")
def test_a_soft_limit_of_the_address_space_binds_the_application_and_not_the_look():
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    assert of_a_limited_process(soft=800 * MIB, hard=hard) == "module shop → KEPT → […] 1000"


@pytest.mark.linux("no other system enforces it")
@pytest.mark.parametrize("limit", [800 * MIB, 4700 * MIB])
def test_under_a_hard_limit_it_is_refused(limit):
    said = of_a_limited_process(soft=limit, hard=limit)
    assert said.startswith("CannotLook it needs about")
    assert "free under the process's RLIMIT_AS" in said


@pytest.mark.linux("no other system enforces it")
def test_under_a_hard_limit_with_room_for_it_the_look_is_taken():
    assert of_a_limited_process(soft=9000 * MIB, hard=9000 * MIB) == "module shop → KEPT → […] 1000"


GROUP = Path("/sys/fs/cgroup/memory/labserver-test")


@pytest.mark.skipif(
    not os.access(GROUP.parent / "cgroup.procs", os.W_OK), reason="control groups of memory cannot be made here"
)
def test_a_process_in_a_small_control_group_is_not_killed_by_a_look():
    GROUP.mkdir(exist_ok=True)
    code = """
        import os, sys
        from pathlib import Path
        from labserver.diagnosis.instruments import Instruments

        instruments, kept = Instruments(), [[number] for number in range(1_500_000)]
        group = Path(sys.argv[1])
        (group / "cgroup.procs").write_text(str(os.getpid()))
        more = bytearray(30 << 20)
        limit = int((group / "memory.usage_in_bytes").read_text()) + (60 << 20)
        (group / "memory.limit_in_bytes").write_text(str(limit))
        try:
            print(instruments.baseline())
        except Exception as error:
            print(type(error).__name__, error)
        """
    try:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(GROUP)],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    finally:
        GROUP.rmdir()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("CannotLook it needs about")
    assert "in the control group /labserver-test" in done.stdout
