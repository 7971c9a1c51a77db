"""An application in the middle of something difficult, looked at again and again; prints what came of it as JSON.

python harmless_app.py CIRCUMSTANCE LOOKS
"""

import asyncio
import contextlib
import contextvars
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import types

import psutil

from labserver.diagnosis.instruments import Instruments

ITEMS, ITEM_BYTES = 7, 3000
VARIABLE = contextvars.ContextVar("image")
SIGNAL = signal.SIGRTMIN
# Another process asks for an answer every other millisecond, and sends a signal with every fifth question.
ASKING = """
import os, socket, sys, time
connection = socket.socket(fileno=int(sys.argv[1]))
sent, asked = 0, []
while True:
    began = time.monotonic()
    if len(asked) % 5 == 0 and sys.argv[3] != "0":
        os.kill(int(sys.argv[2]), int(sys.argv[3]))
        sent += 1
    try:
        connection.sendall(b"?")
        if connection.recv(1) != b"!":
            break
    except OSError:  # the end
        break
    asked.append((began, time.monotonic() - began))
    time.sleep(0.002)
print([sent, list(map(list, asked))])
"""


def churn(stop):
    """Threads that start threads, which have values of their own, and end."""
    while not stop.is_set():
        local = threading.local()
        thread = threading.Thread(target=lambda local=local: (VARIABLE.set(1), setattr(local, "image", 1)))
        thread.start()
        thread.join()


def churning(stop):
    """Three of them."""
    for _ in range(3):
        threading.Thread(target=churn, args=(stop,), daemon=True).start()


def audited(stop):
    """The same with an audit hook, at which other threads may run."""
    sys.addaudithook(lambda *_: None)
    churning(stop)


def tasks(stop):
    """An event loop with a thousand tasks that come and go."""

    async def work(left):
        await asyncio.sleep(0.001 * (left % 7))
        if not stop.is_set():
            running.add(task := asyncio.get_running_loop().create_task(work(left + 1)))
            task.add_done_callback(running.discard)

    async def main():
        await asyncio.gather(*(work(number) for number in range(1000)))
        await asyncio.Event().wait()

    running = set()
    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()


def greenlets(stop):
    """Greenlets that switch to one another."""
    import greenlet

    def loop():
        def work():
            kept = bytes(100)
            while True:
                greenlet.getcurrent().parent.switch(kept)

        while not stop.is_set():
            for one in [greenlet.greenlet(work) for _ in range(50)]:
                one.switch()
                one.switch()

    threading.Thread(target=loop, daemon=True).start()


def processes(stop):
    """Subprocesses, and forks of its own with hooks."""
    os.register_at_fork(before=lambda: None, after_in_parent=lambda: None, after_in_child=lambda: None)

    def loop():
        while not stop.is_set():
            subprocess.run([sys.executable, "-S", "-c", ""], check=True)
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    threading.Thread(target=loop, daemon=True).start()


def profiled(stop):
    """A profile function in every thread."""
    sys.setprofile(lambda *_: None)
    threading.setprofile(lambda *_: None)
    churning(stop)


def covered(stop):
    """Under coverage."""
    import coverage

    measured = coverage.Coverage(data_file=None)
    measured.start()
    churning(stop)


def debugged(stop):
    """A trace function that sees every line, as a debugger's."""

    def trace(*_):
        return trace

    sys.settrace(trace)
    threading.settrace(trace)
    churning(stop)


def traced(stop):
    """Traced by tracemalloc already."""
    tracemalloc.start(5)
    churning(stop)


def frozen(stop):
    """All that is there is frozen, as preforking servers do it."""
    gc.collect()
    gc.freeze()
    churning(stop)


def without_collector(stop):
    """With the collector switched off."""
    gc.disable()
    churning(stop)


CIRCUMSTANCES = {
    "at rest": lambda _: None,
    "churning threads": churning,
    "audit hook": audited,
    "asyncio tasks": tasks,
    "greenlets": greenlets,
    "subprocesses and forks": processes,
    "profile function": profiled,
    "coverage": covered,
    "trace function": debugged,
    "tracemalloc on": traced,
    "gc.freeze()": frozen,
    "collector off": without_collector,
}


def main(circumstance, looks):
    """Look so many times, with a signal handler in place and questions to be answered."""
    shop = sys.modules["shop"] = types.ModuleType("shop")
    shop.KEPT = []
    stop, found = threading.Event(), {"wrong": 0, "failed": []}
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(SIGNAL, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    arrived = counted(reading)
    ours, theirs = socket.socketpair()
    answering = threading.Thread(target=answer, args=(ours,), daemon=True)
    answering.start()
    process = psutil.Process()
    instruments = Instruments()
    CIRCUMSTANCES[circumstance](stop)
    asking = subprocess.Popen(
        [sys.executable, "-S", "-c", ASKING, str(theirs.fileno()), str(os.getpid()), str(int(SIGNAL))],
        pass_fds=[theirs.fileno()],
        stdout=subprocess.PIPE,
    )
    theirs.close()
    spans = {"fork": [], "look": []}
    looking = threading.Thread(
        target=look_often, args=(looks, instruments, shop, found, spans), name="labserver-agent", daemon=True
    )
    looking.start()
    while looking.is_alive():  # the handlers run in this thread
        time.sleep(0.01)
    ours.shutdown(socket.SHUT_RDWR)
    stop.set()
    sent, asked = json.loads(asking.communicate(timeout=60)[0])
    deadline = time.monotonic() + 30
    while sum(arrived) < sent and time.monotonic() < deadline:
        time.sleep(0.01)
    found["lost_signals"] = sent - sum(arrived)
    # The application's own have a moment to end. Once there are none, none is left: it may yet start a last one.
    while (children := process.children()) and time.monotonic() < deadline:
        time.sleep(0.01)
    found["children_left"] = len(children)
    found["threads_left"] = sum(thread.name.startswith("labserver") for thread in threading.enumerate())
    for name, marks in spans.items():
        late = [took for at, took in asked if any(begin <= at + took and at <= end for begin, end in marks)]
        found[f"{name}_ms"] = 1000 * sorted(late)[int(0.99 * len(late))] if late else None
    found["looks"], found["asked"] = looks, len(asked)
    print(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)


def counted(reading):
    """How many signals have come, as they come."""
    arrived = []

    def count():
        while True:
            arrived.append(len(os.read(reading, 4096)))

    threading.Thread(target=count, daemon=True).start()
    return arrived


def answer(connection):
    """Answer each question."""
    with contextlib.suppress(OSError):  # the end
        while connection.recv(1):
            connection.sendall(b"!")


def look_often(looks, instruments, shop, found, spans):
    """Compare what is found with what was kept; idle forks between, for what they cost."""
    open_at_first = None
    for number in range(looks):
        try:
            began = time.monotonic()
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            spans["fork"].append((began, time.monotonic()))
            os.waitpid(pid, 0)
            began = time.monotonic()
            instruments.baseline()
            shop.KEPT += [bytes(ITEM_BYTES + number) for _ in range(ITEMS)]
            growth = instruments.growth()
            spans["look"].append((began, time.monotonic()))
            right = [item for item in growth.holders if item.path.startswith("module shop → KEPT")]
            found["wrong"] += len(right) != 1 or right[0].buffers != ITEMS or not growth.complete
        except Exception as error:  # noqa: BLE001 - told in the end
            found["failed"].append(f"{type(error).__name__}: {error}")
        open_at_first = open_at_first or descriptors()
    found["descriptors_left"] = max(descriptors() - open_at_first, 0)


def descriptors():
    """How many are open when the application's own short-lived ones are closed."""
    counts = []
    for _ in range(20):
        counts.append(psutil.Process().num_fds())
        time.sleep(0.01)
    return min(counts)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
