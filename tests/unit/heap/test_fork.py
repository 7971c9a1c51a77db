import contextlib
import ctypes
import fcntl
import gc
import os
import resource
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import psutil
import pytest

from labserver.errors import CannotRun
from labserver.heap import fork
from labserver.heap.fork import in_fork

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the work is done in place elsewhere")


@pytest.fixture
def busy_threads():
    """Threads that never rest, as a server's under load."""
    leave, full = threading.Event(), threading.Barrier(4)

    def work():
        kept = {number: [object()] for number in range(100)}
        full.wait(60)
        while not leave.is_set():
            kept[len(kept) % 100] = [object()]

    threads = [threading.Thread(target=work, name=f"busy-{number}") for number in range(3)]
    for thread in threads:
        thread.start()
    full.wait(60)  # what they keep does not grow any more
    yield threads
    leave.set()
    for thread in threads:
        thread.join()


def test_the_work_is_done_elsewhere_and_its_result_comes_back():
    changed = []

    def work(_roots):
        changed.append(1)
        return {"pid": os.getpid(), "parent": os.getppid(), "big": "x" * 3_000_000, "pair": (1, None)}

    answer = in_fork(work, within_s=120)
    assert answer["pid"] != os.getpid() == answer["parent"]
    assert len(answer["big"]) == 3_000_000
    assert answer["pair"] == [1, None]
    assert changed == []


def test_no_module_forgets_which_warnings_it_has_shown():
    registry = {}
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("default")
        for text in ("one", "two"):
            warnings.warn_explicit(text, UserWarning, "shop.py", 1, registry=registry)
            in_fork(lambda _: 0, within_s=120)
        warnings.warn_explicit("three", UserWarning, "shop.py", 1, registry=registry)
    assert {key[0] for key in registry if isinstance(key, tuple)} == {"one", "two", "three"}


def test_the_child_sees_what_the_other_threads_held(busy_threads):
    labels = in_fork(lambda roots: [label for label, _ in roots.named()], within_s=120)
    for thread in busy_threads:
        assert any(label.startswith(f"thread {thread.name} in ") and label.endswith("local kept") for label in labels)


def test_a_failing_work_is_one_clear_error():
    with pytest.raises(CannotRun, match=r"^The look at the heap failed: ZeroDivisionError: division by zero\.$"):
        in_fork(lambda _: 1 / 0, within_s=120)
    with pytest.raises(CannotRun, match="SystemExit: 3"):
        in_fork(lambda _: sys.exit(3), within_s=120)
    with pytest.raises(CannotRun, match="not JSON serializable"):
        in_fork(lambda _: object(), within_s=120)


@pytest.mark.parametrize("hang", [lambda _: time.sleep(600), lambda _: ctypes.PyDLL(None).sleep(600)], ids=["py", "c"])
def test_a_child_that_hangs_is_killed(hang):
    with pytest.raises(CannotRun, match=r"took longer than 0\.3 s"):
        in_fork(hang, within_s=0.3)
    assert psutil.Process().children() == []


def test_a_child_that_crashes_is_no_crash_of_ours(capfd):
    with pytest.raises(CannotRun, match="its process died"):
        in_fork(lambda _: ctypes.string_at(0), within_s=120)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("pidfd", [True, False], ids=["pidfd", "no pidfd"])
def test_an_application_may_reap_every_child(monkeypatch, pidfd):
    if not pidfd:
        monkeypatch.delattr(os, "pidfd_open")
    reaped = []

    def reap(*_):
        try:
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                reaped.append(pid)
        except ChildProcessError:
            pass

    before = signal.signal(signal.SIGCHLD, reap)
    try:
        assert in_fork(lambda _: 1, within_s=120) == 1
        with pytest.raises(CannotRun, match="died"):
            in_fork(lambda _: os.kill(os.getpid(), signal.SIGKILL), within_s=120)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert psutil.Process().children() == []


def test_an_application_may_ignore_its_children():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert in_fork(lambda _: 1, within_s=120) == 1
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_thread_that_waits_for_any_child_does_no_harm():
    leave = threading.Event()

    def reaper():
        while not leave.is_set():
            try:
                os.wait()
            except ChildProcessError:
                time.sleep(0.001)

    thread = threading.Thread(target=reaper)
    thread.start()
    try:
        assert [in_fork(lambda _: os.getpid(), within_s=120) for _ in range(10)]
    finally:
        leave.set()
        thread.join()


def test_nothing_is_left_of_twenty_looks(busy_threads):
    process = psutil.Process()
    in_fork(lambda _: 1, within_s=120)
    gc.collect()
    descriptors, blocks = process.num_fds(), sys.getallocatedblocks()
    for _ in range(20):
        in_fork(lambda roots: len(list(roots.named())), within_s=120)
    assert process.num_fds() <= descriptors
    assert process.children() == []
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 400
    assert all(thread.is_alive() for thread in busy_threads)


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_is_off_in_the_child_only(collecting):
    (gc.enable if collecting else gc.disable)()
    try:
        assert in_fork(lambda _: gc.isenabled(), within_s=120) is False
        assert gc.isenabled() is collecting
    finally:
        gc.enable()


def test_the_child_holds_none_of_the_parents_connections():
    reading, writing = os.pipe()

    def closed(_roots):
        try:
            os.fstat(writing)
        except OSError:
            return True
        return False

    assert in_fork(closed, within_s=120)
    os.close(reading)
    os.close(writing)


@pytest.fixture
def few_descriptors():
    """The process may open no more than some hundred files; gives what opens one, and closes them all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 300
    held = [os.open(os.devnull, os.O_RDONLY)]
    held.append(fcntl.fcntl(held[0], fcntl.F_DUPFD, most))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    yield held
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for descriptor in held:
        os.close(descriptor)


def descriptors(_roots):
    return [int(path.name) for path in Path("/proc/self/fd").iterdir()]


def test_the_child_holds_no_descriptor_from_before_the_limit_was_lowered(few_descriptors):
    kept, high = few_descriptors
    held = in_fork(descriptors, within_s=30, keep=(kept,))
    assert kept in held
    assert high not in held


def test_a_process_with_hardly_a_descriptor_left_is_looked_at(few_descriptors):
    with contextlib.suppress(OSError):
        while True:
            few_descriptors.append(os.dup(few_descriptors[0]))
    with pytest.raises(CannotRun, match=r"^This process cannot be forked to look at its heap: Too many open files\.$"):
        in_fork(descriptors, within_s=30)
    for _ in range(2):
        os.close(few_descriptors.pop())
    assert not set(few_descriptors) & set(in_fork(descriptors, within_s=30))


def test_the_child_can_be_ended_whatever_its_parent_has_blocked():
    ending = {signal.SIGALRM, signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending - {signal.SIGINT})
    try:
        blocked = in_fork(
            lambda _: [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])], within_s=30
        )
        assert not ending & set(blocked)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before | ending - {signal.SIGINT}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_where_forking_is_unsafe_the_work_is_done_in_place(monkeypatch):
    monkeypatch.setattr(fork, "_CAN_FORK", False)
    assert in_fork(lambda _: (os.getpid(),), within_s=120) == [os.getpid()]


def test_a_process_that_may_not_fork_says_so(monkeypatch):
    def refuse():
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    descriptors = psutil.Process().num_fds()
    with pytest.raises(CannotRun, match="cannot be forked"):
        in_fork(lambda _: 1, within_s=120)
    assert psutil.Process().num_fds() <= descriptors
