"""The process that others attach to: `attach_app.py CIRCUMSTANCE`. It checks all that it does, and tells at its end.

SIGTERM ends it. It prints its state as JSON twice: when it is ready, and at its end.
"""

import contextlib
import ctypes
import gc
import hashlib
import json
import os
import queue
import select
import signal
import socket
import struct
import sys
import threading
import time
import zlib
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
ending = threading.Event()
state = {"rounds": 0, "wrong": 0, "seen": None}
signals = 0


def tasks():
    return len(list(Path("/proc/self/task").iterdir()))


def check(right, seen=None):
    if ending.is_set():  # SIGTERM itself ends a wait in C
        return
    state["rounds"] += 1
    state["wrong"] += not right
    state["seen"] = state["seen"] if right else repr(seen)


def idle():
    began = time.monotonic()
    time.sleep(0.03)
    check(time.monotonic() - began >= 0.0299)


def busy():
    check(sum(number * number % 7 for number in range(20_000)) == EXPECTED_SUM)


EXPECTED_SUM = 14 * (20_000 // 7) + sum(number * number % 7 for number in range(20_000 % 7))


def mallocs():
    kept = [bytes([number % 256]) * (number * 37 % 5000 + 1) for number in range(600)]
    words = {str(number): [number] * (number % 9) for number in range(600)}
    check(all(len(one) == at * 37 % 5000 + 1 for at, one in enumerate(kept)) and len(words) == 600)


PACKED = bytes(range(256)) * 800


def packing():
    check(zlib.decompress(zlib.compress(PACKED)) == PACKED)


class Node:
    def __init__(self, other):
        self.other, self.itself = other, self


def garbage():
    node = None
    for _ in range(3000):
        node = Node(node)
    del node
    gc.collect()
    check(not gc.garbage)


def hashing():
    check(hashlib.sha256(PACKED).hexdigest() == DIGEST)


DIGEST = hashlib.sha256(PACKED).hexdigest()


def vectors():
    """Long loops over vector registers, the same each time to the last bit."""
    global expected  # noqa: PLW0603 - there is one
    values = np.sin(np.arange(60_000) * 0.001) * 1.0001 + np.sqrt(np.arange(60_000))
    found = (values @ values[::-1], values.cumsum()[-1], (values * 3 - 1).sum())
    found = struct.pack("3d", *found)
    expected = expected or found
    check(found == expected)


expected = None


def floats():
    value = 0.0
    for number in range(1, 8000):
        value += 1.0 / number * 1.5 - value / 3.0
    check(value.hex() == EXPECTED_FLOAT)


def _float():
    value = 0.0
    for number in range(1, 8000):
        value += 1.0 / number * 1.5 - value / 3.0
    return value.hex()


EXPECTED_FLOAT = _float()


def polling():
    """A wait with an end that is reached, and one without, ended by what is waited for."""
    began = time.monotonic()
    none = EPOLL.poll(0.02)
    waited = time.monotonic() - began
    threading.Timer(0.01, os.write, (PIPE[1], b"x")).start()
    some = EPOLL.poll()
    os.read(PIPE[0], 1)
    check(none == [] and waited >= 0.0199 and some == [(PIPE[0], select.EPOLLIN)])


PIPE = os.pipe()
EPOLL = select.epoll()
EPOLL.register(PIPE[0], select.EPOLLIN)


def waits_in_c():
    """The C library's own waits, whose callers would not ask again: they must not learn of a stop."""
    span = struct.pack("qq", 0, 20_000_000)
    events = ctypes.create_string_buffer(12)
    began = time.monotonic()
    slept = LIBC.nanosleep(span, None)
    took = time.monotonic() - began
    threading.Timer(0.01, os.write, (PIPE[1], b"x")).start()
    found = LIBC.epoll_wait(EPOLL.fileno(), events, 1, -1)
    polled = LIBC.poll(struct.pack("ihh", PIPE[0], select.POLLIN, 0), 1, -1)
    read = LIBC.read(PIPE[0], ctypes.create_string_buffer(1), 1)
    check((slept, found, polled, read) == (0, 1, 1, 1) and took >= 0.0199, (slept, found, polled, read, took))


def receiving():
    """A blocking socket, without a limit of time, and a lock with one."""
    threading.Timer(0.01, PAIR[1].sendall, (b"12345",)).start()
    began = time.monotonic()
    with contextlib.suppress(queue.Empty):
        QUEUE.get(timeout=0.02)
    waited = time.monotonic() - began
    check(PAIR[0].recv(5) == b"12345" and waited >= 0.0199)


PAIR = socket.socketpair()
QUEUE = queue.Queue()


def working():
    while not ending.is_set():
        check(hashlib.sha256(PACKED).hexdigest() == DIGEST)
        check(sum(range(5000)) == 12_497_500)


def several():
    """Threads that work while the main one waits."""
    time.sleep(0.01)


def signalled():
    check(sum(range(2000)) == 1_999_000)


def blocked():
    """For ever, until it is let go by the end."""
    while not ending.is_set():
        LIBC.pause()


def spans():
    began = time.monotonic()
    time.sleep(1.5)
    check(time.monotonic() - began >= 1.4999)


CIRCUMSTANCES = {
    "idle": idle,
    "busy": busy,
    "mallocs": mallocs,
    "packing": packing,
    "garbage": garbage,
    "hashing": hashing,
    "floats": floats,
    "vectors": vectors,
    "polling": polling,
    "waits_in_c": waits_in_c,
    "receiving": receiving,
    "several": several,
    "signalled": signalled,
    "blocked": blocked,
    "spans": spans,
}


def tell(**more):
    told = {
        "descriptors": sorted(one.name for one in Path("/proc/self/fd").iterdir()),
        "threads": tasks(),
        "strangers": sum(type(one).__name__ == "_DummyThread" for one in threading.enumerate()),
        "finders": len(sys.meta_path),
        "path": list(sys.path),
        "names": sorted(globals()),
        "switch": sys.getswitchinterval(),
        "collecting": gc.isenabled(),
        "handlers": [str(signal.getsignal(one)) for one in sorted(signal.valid_signals())],
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    }
    print(json.dumps(told | more), flush=True)


def count(*_):
    pass


def main():
    what = CIRCUMSTANCES[sys.argv[1]]
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    told, tells = os.pipe()
    os.set_blocking(tells, False)
    signal.signal(signal.SIGRTMIN, count)
    signal.set_wakeup_fd(tells, warn_on_full_buffer=True)
    workers = [threading.Thread(target=working) for _ in range(4 * (what is several))]
    for worker in workers:
        worker.start()
    if what is not blocked:
        what()
    tell()
    while not ending.is_set():
        what()
    for worker in workers:
        worker.join()
    came = os.read(told, 65_536).count(bytes([signal.SIGRTMIN]))
    patience = time.monotonic() + 60
    while tasks() > 1 + THREADS and time.monotonic() < patience:  # timers that end
        time.sleep(0.01)
    tell(**state, signals=came, workers=len(workers))


if sys.argv[1] == "vectors":
    import numpy as np

THREADS = tasks() - 1  # of a library for matrices

if __name__ == "__main__":
    main()
