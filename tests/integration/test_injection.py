"""A main thread that was made to call a function goes on as if nothing had been."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from labserver.targets.attach import injection, interpreter
from labserver.targets.attach.elf import read_elf
from labserver.targets.attach.injection import inject, machine_of
from labserver.targets.attach.interpreter import _bias, interpreter_of
from labserver.targets.attach.maps import mappings_of
from labserver.targets.attach.refusal import CannotAttach, NotAttachable

pytestmark = pytest.mark.linux("only there is an agent put into a process")

READY = b"ready\n"
NOTHING = b"0"
PATIENCE_S = 60.0


@contextlib.contextmanager
def running(code, *arguments):
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout.readline() == READY
            yield process
        finally:
            process.kill()


def eventually(condition):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def sleeps(process):
    return psutil.Process(process.pid).status() == psutil.STATUS_SLEEPING


WAIT = """
import ctypes, os, select, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
pipe, poll = os.pipe(), select.epoll()
poll.register(pipe[0], select.EPOLLIN)
space = ctypes.create_string_buffer(64)
def end():
    os.read(0, 1)
    os.write(pipe[1], b"x")
def fork():
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)
if sys.argv[1] != "waitpid":
    threading.Thread(target=end, daemon=True).start()
span = struct.pack("qq", 1, 0)
lock = ctypes.create_string_buffer(64)
libc.sem_init(lock, 0, 0)
wait = {
    "nanosleep": lambda: libc.nanosleep(span, None),
    "usleep": lambda: libc.usleep(1_000_000),
    "sleep": lambda: time.sleep(1),
    "epoll_wait": lambda: libc.epoll_wait(poll.fileno(), space, 1, -1),
    "epoll": lambda: len(poll.poll(1)),
    "poll": lambda: libc.poll(struct.pack("ihh", pipe[0], select.POLLIN, 0), 1, -1),
    "poll with a limit": lambda: libc.poll(struct.pack("ihh", -1, 0, 0), 1, 1000),
    "select": lambda: len(select.select([pipe[0]], [], [])[0]),
    "read": lambda: libc.read(pipe[0], space, 1),
    "futex": lambda: libc.sem_timedwait(lock, struct.pack("qq", int(time.time()) + 2, 0)),
    "waitpid": lambda: fork() or os.waitpid(-1, 0)[1],
}[sys.argv[1]]
print("ready", flush=True)
began = time.monotonic()
ctypes.set_errno(0)
found = wait()
print(found, ctypes.get_errno(), time.monotonic() - began, flush=True)
os.read(0, 1)  # until it is no longer needed
"""
ETIMEDOUT = 110


@pytest.mark.parametrize(
    ("wait", "found", "least_s"),
    [
        ("nanosleep", (0, 0), 1),
        ("usleep", (0, 0), 1),
        ("sleep", ("None", 0), 1),
        ("epoll_wait", (1, 0), 0),
        ("epoll", (0, 0), 1),
        ("poll", (1, 0), 0),
        ("poll with a limit", (0, 0), 1),
        ("select", (1, 0), 0),
        ("read", (1, 0), 0),
        ("futex", (-1, ETIMEDOUT), 1),
        ("waitpid", (0, 0), 1),
    ],
)
def test_a_system_call_that_waits_goes_on_and_answers_as_without_us(wait, found, least_s):
    with running(WAIT, wait) as process:
        assert eventually(lambda: sleeps(process))
        time.sleep(0.1)  # by now it waits where it is to wait
        for _ in range(3):
            inject(interpreter_of(process.pid), lambda _: NOTHING, PATIENCE_S)
        if not least_s:
            process.stdin.write(b"x")
            process.stdin.flush()
        result, error, seconds = process.stdout.readline().split()
        assert (result.decode(), error.decode()) == tuple(map(str, found))
        assert float(seconds) >= least_s - 0.001
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


COUNT = """
import os, signal, time
told, tells = os.pipe()
os.set_blocking(tells, False)
signal.signal(signal.SIGRTMIN, lambda *_: None)
signal.signal(signal.SIGTERM, lambda *_: None)
signal.set_wakeup_fd(tells)
print("ready", flush=True)
while True:
    came = os.read(told, 1)
    if came[0] == signal.SIGTERM:
        break
    print(came[0], flush=True)
print("end", flush=True)
"""


def test_signals_that_come_while_it_stands_all_arrive():
    with running(COUNT) as process:

        def text(_):
            for _ in range(5):
                os.kill(process.pid, signal.SIGRTMIN)
            return NOTHING

        inject(interpreter_of(process.pid), text, PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read().split()
        assert sorted(said) == sorted([str(int(signal.SIGRTMIN)).encode()] * 5 + [b"end"])
        assert process.wait(60) == 0


def test_a_process_that_is_stopped_meanwhile_is_stopped_afterwards():
    with running(COUNT) as process:

        def text(_):
            process.send_signal(signal.SIGSTOP)
            return NOTHING

        inject(interpreter_of(process.pid), text, PATIENCE_S)
        assert eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b"end\n"


def address_of(pid, name, library):
    """Where a function of a library is in a process."""
    mapped = [one for one in mappings_of(pid) if Path(one.path).name.startswith(library)]
    with Path(mapped[0].path).open("rb") as file:
        elf = read_elf(file, frozenset((name,)))
    return elf.symbols[name].value + _bias(elf, mapped)


def test_a_call_that_does_not_return_is_given_up_and_the_thread_goes_on(monkeypatch):
    monkeypatch.setattr(injection, "PATIENCE", replace(injection.PATIENCE, call_s=0.3))
    with running(COUNT) as process:
        found = interpreter_of(process.pid)
        stuck = replace(
            found, functions=found.functions | {"Py_AddPendingCall": address_of(process.pid, "pause", "libc")}
        )
        with pytest.raises(CannotAttach, match="unlucky place"):
            inject(stuck, lambda _: NOTHING, PATIENCE_S)
        os.kill(process.pid, signal.SIGRTMIN)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read().split() == [str(int(signal.SIGRTMIN)).encode(), b"end"]
        assert process.wait(60) == 0


VECTORS = """
import numpy as np
import select
values = np.linspace(0.1, 9.9, 4096)
def work():
    found = values.copy()
    for _ in range(300):
        found = found * 1.0000001 + values * values - found * 0.5
    return found.tobytes()
expected = work()
print("ready", flush=True)
rounds = wrong = 0
while not select.select([0], [], [], 0)[0]:
    rounds, wrong = rounds + 1, wrong + (work() != expected)
print(rounds, wrong, flush=True)
"""


def test_vector_registers_are_put_back_after_a_function_that_uses_them():
    with running(VECTORS) as process:
        found = interpreter_of(process.pid)
        clobbering = replace(found, functions=dict.fromkeys(found.functions, address_of(process.pid, "cbrt", "libm")))
        for _ in range(150):
            with contextlib.suppress(CannotAttach):  # it returns anything
                inject(clobbering, lambda _: NOTHING, PATIENCE_S)
        process.stdin.close()
        rounds, wrong = map(int, process.stdout.readline().split())
        assert (rounds > 0, wrong) == (True, 0)


def test_an_interpreter_that_is_not_ready_is_asked_for_nothing():
    with running(COUNT) as process:
        found = interpreter_of(process.pid)
        returns_0 = address_of(process.pid, "sched_yield", "libc")
        with pytest.raises(CannotAttach, match="is not ready"):
            inject(
                replace(found, functions=found.functions | {"Py_IsInitialized": returns_0}),
                lambda _: b"print('ran')",
                PATIENCE_S,
            )
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b"end\n"


def test_another_processor_is_refused(monkeypatch):
    with running(COUNT) as process:
        found = interpreter_of(process.pid)
        monkeypatch.setattr(injection.platform, "machine", lambda: "riscv64")
        with pytest.raises(NotAttachable, match="On riscv64 no agent is put into"):
            machine_of(found)


def test_the_version_is_that_of_the_process():
    with running(COUNT) as process:
        assert interpreter_of(process.pid).version == sys.version_info[:3]


def test_an_interpreter_whose_file_was_replaced_is_refused(monkeypatch):
    """What is called must be the function that is meant."""

    with running(COUNT) as process:
        original = interpreter._opened

        def opened(pid, path, mappings):
            with original(pid, path, mappings) as file:
                block = bytearray(file.read())
            start = read_elf(io.BytesIO(bytes(block)), frozenset(("Py_AddPendingCall",)))
            if "Py_AddPendingCall" in start.symbols:
                block[start.offset_of(start.symbols["Py_AddPendingCall"])] ^= 0xFF
            return io.BytesIO(bytes(block))

        monkeypatch.setattr(interpreter, "_opened", opened)
        with pytest.raises(NotAttachable, match="is not the file any more that process"):
            interpreter_of(process.pid)
