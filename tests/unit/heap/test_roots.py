import contextvars
import gc
import sys
import threading
import types
import weakref
from contextlib import contextmanager

import pytest

from labserver.heap.analyst import analyst_objects
from labserver.heap.chains import chain_to
from labserver.heap.fork import in_fork
from labserver.heap.graph import heap_graph
from labserver.heap.layout.probe import thread_layout
from labserver.heap.layout.threads import read_thread_states
from labserver.heap.root import RootKind
from labserver.heap.roots import frame_locals, gather_roots

SIZE = 54_321
VARIABLE = contextvars.ContextVar("image")


@contextmanager
def thread_in(work):
    """A thread that works, calls what it is given, and waits in there while the block runs."""
    inside, leave = threading.Event(), threading.Event()

    def pause():
        inside.set()
        leave.wait(60)

    thread = threading.Thread(target=work, args=(pause,), name="worker-7")
    thread.start()
    assert inside.wait(60)
    try:
        yield thread
    finally:
        leave.set()
        thread.join()


def labels():
    roots = gather_roots()
    return {root.title: value for root, value in roots.named() if root.thread == "worker-7"}


def in_context(pause):
    VARIABLE.set(bytes(SIZE))
    pause()


def test_another_threads_context_variable_is_a_root_by_its_name():
    with thread_in(in_context):
        found = labels()
        assert len(found["contextvar image of thread worker-7"]) == SIZE


def test_every_thread_has_its_own_context_and_dictionary():
    with thread_in(in_context) as thread:
        states, own = read_thread_states(thread_layout()), contextvars.Context()
        contexts = dict(states.contexts)
        assert VARIABLE in contexts[thread.ident]
        assert VARIABLE not in contexts.get(threading.get_ident(), {})
        assert own.run(lambda: any(context is own for _, context in read_thread_states(thread_layout()).contexts))
        assert all(type(namespace) is dict for _, namespace in states.dicts)


def test_a_handled_exception_is_a_root():
    def fail(pause):
        try:
            raise ValueError("image")  # noqa: TRY301 - what is handled
        except ValueError:
            pause()

    with thread_in(fail):
        assert labels()["thread worker-7 handling ValueError"].args == ("image",)


def test_what_cannot_be_read_is_said(monkeypatch):
    monkeypatch.setattr("labserver.heap.roots.thread_layout", lambda: None)
    with thread_in(in_context):
        roots = gather_roots()
        assert not any(
            root.kind is RootKind.CONTEXT_VARIABLE and root.thread == "worker-7" for root, _ in roots.named()
        )
        assert "cannot be read" in roots.notes[0]


def test_cleared_roots_hold_nothing():
    with thread_in(in_context):
        roots = gather_roots()
        roots.clear()
        assert list(roots.named()) == []


def test_of_more_than_a_thousand_threads_none_is_missed():
    leave, started = threading.Event(), threading.Barrier(1101)

    def work():
        VARIABLE.set(b"")
        started.wait(60)
        leave.wait(60)

    threads = [threading.Thread(target=work) for _ in range(1100)]
    mine = VARIABLE.set(b"")
    try:
        for thread in threads:
            thread.start()
        started.wait(60)
        found = {ident for ident, _ in read_thread_states(thread_layout()).contexts}
    finally:
        leave.set()
        for thread in threads:
            thread.join()
        VARIABLE.reset(mine)
    assert {threading.get_ident(), *(thread.ident for thread in threads)} <= found


@pytest.mark.parametrize("kind", ["local", "context", "thread_local", "exception"])
def test_a_forked_child_still_sees_what_the_other_threads_hold(shop, kind):
    shop.LOCAL = threading.local()
    addresses = []

    def image():
        made = bytearray(SIZE)
        addresses.append(id(made))
        return made

    def work(pause):
        if kind == "local":
            mine = image()
            pause()
            del mine
        elif kind == "context":
            VARIABLE.set(image())
            pause()
        elif kind == "thread_local":
            shop.LOCAL.image = image()
            pause()
        else:
            try:
                raise ValueError(image())  # noqa: TRY301 - what is handled
            except ValueError:
                pause()

    def look(roots):
        with heap_graph(roots) as graph:
            nodes = [node for node, address in enumerate(graph.addresses.tolist()) if address == addresses[0]]
            return [chain_to(graph, node, graph.parents()).trail for node in nodes]

    name = "test_a_forked_child_still_sees_what_the_other_threads_hold.<locals>.work"
    context = "contextvar image of thread worker-7"
    if sys.version_info >= (3, 14):  # there a `Thread` keeps its context, too
        context = "module threading → _active → ['…'] → Thread._context → contextvar image"
    with thread_in(work):
        assert (
            in_fork(look, within_s=120)
            == {
                "local": [f"thread worker-7 in {name}, local mine"],
                "context": [context],
                "thread_local": ["module shop → LOCAL → _local.image"],
                "exception": ["thread worker-7 handling ValueError → ValueError.args → […]"],
            }[kind]
        )


def test_gathering_makes_no_garbage():
    gather_roots().clear()
    gc.collect()
    for _ in range(5):
        gather_roots().clear()
    assert gc.collect() < 5


def test_threads_that_come_and_go_do_not_disturb():
    # A hook in Python would let the other threads run in the middle of the reading, if it were asked there.
    sys.addaudithook(lambda *_: None)
    stop = threading.Event()

    def churn():
        local = threading.local()
        while not stop.is_set():
            thread = threading.Thread(target=lambda: (VARIABLE.set(1), setattr(local, "image", 1)))
            thread.start()
            thread.join()

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            gather_roots().clear()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_what_several_frames_hold_is_named_by_the_outermost_first():
    def serve(pause):
        work([SIZE], pause)

    def work(server, pause):
        answer(server, pause)

    def answer(request, pause):
        pause()
        assert request

    with thread_in(serve):
        named = [root.name for root, value in gather_roots().named() if value == [SIZE]]
    assert named == ["server", "request"]


def test_reading_a_frames_locals_leaves_no_copy_of_them():
    class Image:
        pass

    def rows():
        image = Image()
        yield weakref.ref(image)
        image = None
        yield None

    generator = rows()
    reference = next(generator)
    assert "image" in dict(frame_locals(generator.gi_frame))
    next(generator)
    assert reference() is None


def test_what_the_application_got_from_locals_stays_whole():
    def rows():
        image = "kept"
        namespace = locals()
        yield namespace
        yield image

    generator = rows()
    namespace = next(generator)
    frame_locals(generator.gi_frame)
    assert namespace["image"] == "kept"


def test_the_instruments_own_threads_are_the_analysts():
    with thread_in(in_context) as thread:
        thread.name = "labserver-agent"
        assert any(obj is thread for obj in analyst_objects())
        assert thread.ident not in gather_roots().frames


def test_what_ipython_remembers_is_no_holder(monkeypatch):
    shell = types.SimpleNamespace(user_ns={"Out": {1: bytearray(SIZE)}}, history_manager=types.SimpleNamespace())
    shell.history_manager.output_hist = {2: bytearray(SIZE)}
    core = types.ModuleType("IPython.core.interactiveshell")
    core.InteractiveShell = type("InteractiveShell", (), {"_instance": shell})
    monkeypatch.setitem(sys.modules, core.__name__, core)
    remembered = {id(shell.user_ns["Out"][1]), id(shell.history_manager.output_hist[2])}
    gc.collect()
    with heap_graph() as graph:
        assert not remembered & set(graph.addresses.tolist())
