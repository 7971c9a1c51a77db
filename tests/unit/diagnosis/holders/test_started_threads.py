import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.diagnosis.holders.started_threads import started_threads
from labserver.heap.graph import heap_graph
from labserver.heap.roots import gather_roots


def wait(event, *_):
    event.wait()


class Session(threading.Thread):
    """Has what it does in a method of its own."""

    def __init__(self, event):
        super().__init__(daemon=True)
        self.event = event

    def run(self):
        self.event.wait()


class Poller:
    def __init__(self, event):
        self.event = event

    def poll(self):
        self.event.wait()

    __call__ = poll


def plain(event):
    return threading.Thread(target=wait, args=(event,), daemon=True)


def named(event):
    return threading.Thread(target=wait, args=(event,), name="worker 7", daemon=False)


def bound(event):
    return threading.Thread(target=Poller(event).poll, daemon=True)


def callable_instance(event):
    return threading.Thread(target=Poller(event), daemon=True)


class Meta(type):
    """Has its own idea of what its classes equal."""

    def __eq__(cls, _):
        raise AssertionError

    def __hash__(cls):
        raise AssertionError


class Liar(Poller, metaclass=Meta):
    pass


def liar(event):
    return threading.Thread(target=Liar(event), daemon=True)


def partial(event):
    return threading.Thread(target=functools.partial(wait, event, 1), daemon=True)


def timer(event):
    made = threading.Timer(3600, wait, args=(event,))
    made.daemon = True
    return made


@contextmanager
def running(make, count=3):
    """What is told of so many threads of a kind that came after a snapshot."""
    event = threading.Event()
    with heap_graph() as graph:
        before = snapshot_of(graph)
    threads = [make(event) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        roots = gather_roots()
        with heap_graph(roots) as graph:
            yield [one.told for one in started_threads(graph, before, roots.frames)]
        roots.clear()
    finally:
        event.set()
        for thread in threads:
            getattr(thread, "cancel", lambda: None)()
            thread.join()


def line_of(function):
    code = function.__code__
    return f"tests/unit/diagnosis/holders/test_started_threads.py:{code.co_firstlineno}"


@pytest.mark.parametrize(
    ("make", "function", "code", "kind"),
    [
        (plain, "wait", wait, "Thread"),
        (named, "wait", wait, "Thread"),
        (Session, "Session.run", Session.run, "Session"),
        (bound, "Poller.poll", Poller.poll, "Thread"),
        (callable_instance, "Poller.poll", Poller.poll, "Thread"),
        (liar, "Poller.poll", Poller.poll, "Thread"),
        (partial, "wait", wait, "Thread"),
        (timer, "wait", wait, "Timer"),
    ],
)
def test_threads_are_known_by_what_they_run(make, function, code, kind):
    with running(make) as (found,):
        assert (found.function, found.type, found.count) == (function, kind, 3)
        assert found.place == line_of(code)


def test_the_names_are_told_without_their_numbers():
    with running(plain) as (found,):
        assert found.names == ("Thread-… (wait)",)
    with running(named) as (found,):
        assert found.names == ("worker …",)


def test_a_pool_that_is_never_shut_down_leaves_its_workers():
    class Pool:
        """Looks like a thread to the test."""

        def __init__(self, _):
            self._pool = ThreadPoolExecutor(1)

        def start(self):
            self._pool.submit(int).result()

        def join(self):
            self._pool.shutdown()

    with running(Pool) as (found,):
        assert (found.function, found.count) == ("_worker", 3)
        assert found.place.startswith("concurrent/futures/thread.py:")


def test_what_was_there_before_and_what_has_ended_is_not_told():
    event = threading.Event()
    old = plain(event)
    old.start()
    try:

        def ended(_):
            return threading.Thread(target=int)

        with heap_graph() as graph:
            before = snapshot_of(graph)
        threads = [ended(event) for _ in range(3)]
        for thread in threads:
            thread.start()
            thread.join()
        roots = gather_roots()
        with heap_graph(roots) as graph:
            assert started_threads(graph, before, roots.frames) == []
        roots.clear()
    finally:
        event.set()
        old.join()


def test_the_most_come_first():
    makers = iter([plain, Session, Session, Session, bound, bound])

    def make(event):
        return next(makers)(event)

    with running(make, count=6) as found:
        assert [(one.type, one.function, one.count) for one in found] == [
            ("Session", "Session.run", 3),
            ("Thread", "Poller.poll", 2),
            ("Thread", "wait", 1),
        ]


def test_no_code_of_a_threads_class_runs():
    class Loud(threading.Thread):
        heard: list[str] = []  # noqa: RUF012

        def __getattribute__(self, name):
            if Loud.listening and threading.get_ident() == threading.main_thread().ident:
                Loud.heard.append(name)
            return super().__getattribute__(name)

        listening = False

    def loud(event):
        return Loud(target=wait, args=(event,), daemon=True)

    event = threading.Event()
    with heap_graph() as graph:
        before = snapshot_of(graph)
    thread = loud(event)
    thread.start()
    try:
        roots = gather_roots()
        Loud.listening = True
        with heap_graph(roots) as graph:
            (found,) = started_threads(graph, before, roots.frames)
        Loud.listening = False
        assert found.told.function == "wait"
        assert Loud.heard == []
        roots.clear()
    finally:
        event.set()
        thread.join()
