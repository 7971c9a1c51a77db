import contextlib
import ctypes
import fcntl
import gc
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from pathlib import Path

import psutil
import pytest

from labserver.errors import CannotLook
from labserver.heap import at_fork, child, fork
from labserver.heap.at_fork import hooks_of_children
from labserver.heap.fork import in_fork

pytestmark = pytest.mark.linux("the work is done in place elsewhere")


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
    labels = in_fork(lambda roots: [root.title for root, _ in roots.named()], within_s=120)
    for thread in busy_threads:
        assert any(label.startswith(f"thread {thread.name} in ") and label.endswith("local kept") for label in labels)


def test_a_failing_work_is_one_clear_error():
    with pytest.raises(CannotLook, match=r"^it failed \(ZeroDivisionError: division by zero\)$"):
        in_fork(lambda _: 1 / 0, within_s=120)
    with pytest.raises(CannotLook, match="SystemExit: 3"):
        in_fork(lambda _: sys.exit(3), within_s=120)
    with pytest.raises(CannotLook, match="not JSON serializable"):
        in_fork(lambda _: object(), within_s=120)


@pytest.mark.parametrize("hang", [lambda _: time.sleep(600), lambda _: ctypes.PyDLL(None).sleep(600)], ids=["py", "c"])
def test_a_child_that_hangs_is_killed(hang):
    with pytest.raises(CannotLook, match=r"took longer than 0\.3 s"):
        in_fork(hang, within_s=0.3)
    assert psutil.Process().children() == []


def test_a_child_that_crashes_is_no_crash_of_ours(capfd):
    with pytest.raises(CannotLook, match="its process died"):
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
        with pytest.raises(CannotLook, match="died"):
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


def test_the_child_sees_also_what_the_parent_has_frozen():
    class Seen:
        pass

    seen = Seen()
    gc.freeze()
    try:
        assert gc.get_freeze_count()
        assert in_fork(lambda _: any(one is seen for one in gc.get_objects()), within_s=60)
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


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
    with pytest.raises(CannotLook, match=r"^this process cannot be forked \(Too many open files\); in place"):
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
    monkeypatch.setattr(fork, "CAN_FORK", False)
    assert in_fork(lambda _: (os.getpid(),), within_s=120) == [os.getpid()]


def test_a_process_that_may_not_fork_says_so(monkeypatch):
    def refuse(**_):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(child, "_fork", refuse)
    descriptors = psutil.Process().num_fds()
    with pytest.raises(
        CannotLook, match=r"^this process cannot be forked \(Resource temporarily unavailable\); in place"
    ):
        in_fork(lambda _: 1, within_s=120)
    assert psutil.Process().num_fds() <= descriptors


def in_a_process(code):
    """What a script prints, in a process of its own: what is registered with the interpreter or with C stays there."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        timeout=200,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


HOOKS = {
    "clears": "CACHE.clear()",
    "starts a thread": "threading.Thread(target=CACHE.clear).start()",
    "raises": "raise ValueError('in the child')",
    "prints": "os.write(1, b'in the child')",
    "ends": "os._exit(7)",
}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_no_hook_of_the_application_runs_in_a_look(hook):
    assert in_a_process(f"""
        import os, threading
        from labserver.heap.fork import in_fork

        CACHE, RAN = {{"image": 1}}, []

        def hook():
            {hook}

        os.register_at_fork(before=lambda: RAN.append("before"), after_in_parent=lambda: RAN.append("after"))
        os.register_at_fork(after_in_child=hook)
        for _ in range(2):
            print(in_fork(lambda _: len(CACHE), within_s=120), RAN)
        os.register_at_fork(after_in_child=hook)  # one that comes later
        print(in_fork(lambda _: (len(CACHE), threading.active_count()), within_s=120), RAN)
        """) == ["1 []", "1 []", "[1, 1] []"]


def test_all_hooks_run_in_the_applications_own_forks_also_while_a_look_forks():
    assert in_a_process("""
        import os, threading
        from labserver.heap import at_fork
        from labserver.heap.fork import in_fork

        RAN = []
        for name in ("first", "second"):
            os.register_at_fork(
                before=lambda name=name: RAN.append(f"{name} before"),
                after_in_parent=lambda name=name: RAN.append(f"{name} in the parent"),
                after_in_child=lambda name=name: RAN.append(f"{name} in the child"),
            )

        def own_fork():
            pid = os.fork()
            if pid == 0:
                os.write(1, f"{RAN}\\n".encode())
                os._exit(0)
            os.waitpid(pid, 0)
            os.write(1, f"{RAN}\\n".encode())
            RAN.clear()

        in_fork(lambda _: 1, within_s=120)
        own_fork()
        with at_fork.without_hooks():  # as another thread does just now
            thread = threading.Thread(target=own_fork)
            thread.start()
            thread.join()
        """) == 2 * [
        "['second before', 'first before', 'first in the child', 'second in the child']",
        "['second before', 'first before', 'first in the parent', 'second in the parent']",
    ]


def test_a_hook_that_raises_is_told_of_as_ever():
    done = in_a_process("""
        import os, sys
        from labserver.heap.at_fork import without_hooks
        import threading

        def broken():
            raise ValueError("no more batches")

        os.register_at_fork(after_in_parent=broken)
        sys.unraisablehook = lambda told: print(told.exc_value, "broken" in (told.err_msg or "") + repr(told.object))

        def own_fork():
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)

        with without_hooks():
            thread = threading.Thread(target=own_fork)
            thread.start()
            thread.join()
        """)
    assert done == ["no more batches True"]


# `abort`, `pause` and the like as C-level handlers: nothing in Python can keep them from running in a plain fork.
REGISTER = """
        import ctypes, os, sys
        from labserver.heap import child, fork
        from labserver.heap.layout.probe import thread_layout

        libc = ctypes.CDLL(None)
        thread_layout()
        register = libc.__register_atfork
        register(None, None, ctypes.cast(libc.{handler}, ctypes.c_void_p), None)
        child._READY_S = 0.5
        stderr = os.dup(2)
"""


@pytest.mark.parametrize("handler", ["abort", "pause"])
def test_where_a_c_librarys_handler_ends_the_child_it_is_tried_once_more_without(handler):
    assert in_a_process(
        REGISTER.format(handler=handler)
        + """
        def work(_):
            return os.getppid() == parent, os.path.exists(f"/proc/self/fd/{stderr}")

        parent = os.getpid()
        print(fork.in_fork(work, within_s=120))
        """
    ) == ["[True, True]"]


def test_where_no_child_lives_a_look_in_place_is_taken_if_it_fits():
    assert in_a_process(
        REGISTER.format(handler="abort")
        + """
        from labserver.errors import CannotLook

        child._raw_calls = lambda: None
        print(fork.in_fork(lambda _: (os.getpid(),), within_s=120, stall_ms=100_000) == [os.getpid()])
        try:
            fork.in_fork(lambda _: 1, within_s=120, stall_ms=1)
        except CannotLook as error:
            print(error)
        """
    )[0:1] == ["True"]


def test_what_failed_is_said_for_each_way():
    (said,) = in_a_process(
        REGISTER.format(handler="abort")
        + """
        from labserver.errors import CannotLook

        child._raw_calls = lambda: None
        try:
            fork.in_fork(lambda _: 1, within_s=120, stall_ms=1)
        except CannotLook as error:
            print(error)
        """
    )
    assert said.startswith(
        "its process died, and the second time, with no at-fork handler at all, this process cannot be"
    )
    assert "in place it would hold the process up for about" in said


def test_no_profiler_runs_in_the_child():
    assert in_a_process("""
        import os, sys
        from labserver.heap.fork import in_fork

        def started(code, *_):
            CALLED.append((os.getpid(), getattr(code, "co_name", "")))

        def work(_):
            def inner():
                return os.getpid()
            return (inner(), "inner") in CALLED

        CALLED = []
        if hasattr(sys, "monitoring"):
            monitoring, tool = sys.monitoring, sys.monitoring.PROFILER_ID
            monitoring.use_tool_id(tool, "profiler")
            monitoring.register_callback(tool, monitoring.events.PY_START, started)
            monitoring.set_events(tool, monitoring.events.PY_START)
        else:
            sys.setprofile(lambda frame, *_: started(frame.f_code))
        work(None)
        print(in_fork(work, within_s=120), (os.getpid(), "inner") in CALLED)
        """) == ["False True"]


def test_hooks_that_run_in_children_alone_are_told():
    def inside():
        """Of children alone."""

    def everywhere():
        """Of both."""

    os.register_at_fork(after_in_child=inside)
    os.register_at_fork(after_in_child=everywhere, after_in_parent=everywhere)
    try:
        found = hooks_of_children()
        assert any(hook is inside for hook in found)
        assert not any(hook is everywhere for hook in found)
    finally:
        for hooks in at_fork._hooks():
            hooks[:] = [hook for hook in hooks if hook not in (inside, everywhere)]
