"""The names by which users' baseline files accept what is held: they outlive any change of the code that makes them."""

import contextvars
import gc
import itertools
import sys
import threading
from collections import deque
from contextlib import contextmanager

import pytest

from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.heap.graph import heap_graph

VARIABLE = contextvars.ContextVar("images_2")


class Store:
    def __init__(self):
        self.jobs = {}


class Node:
    def __init__(self, image=None, after=None):
        self.image, self.after = image, after


def image(number):
    return bytes(3000 + number)


def made_with(kept):
    return lambda number: kept.append(image(number))


def plant(shop):
    shop.STORE, shop.LOG, shop.HEAD, shop.ROWS = Store(), deque(), Node(), []
    shop.hook = made_with([])


def grow(shop, number):
    shop.STORE.jobs[f"job {number}"] = [image(number)]
    shop.LOG.append((number, image(number)))
    shop.HEAD = Node(image(number), shop.HEAD)
    shop.ROWS.append({"id": number, "image": image(number)})
    shop.hook(number)


@contextmanager
def working():
    """A thread that keeps what it is given in a local, and in a context variable of its own."""
    turn, done = threading.Semaphore(0), threading.Semaphore(0)

    def work():
        kept, known = [], []
        VARIABLE.set(known)
        del known
        for number in itertools.count():
            turn.acquire()
            if leaving:
                return
            kept.append(image(number))
            VARIABLE.get().append(image(number))
            done.release()

    def step():
        turn.release()
        done.acquire()

    leaving = []
    thread = threading.Thread(target=work, name="painter-17")
    thread.start()
    try:
        yield step
    finally:
        leaving.append(True)
        turn.release()
        thread.join()


@pytest.fixture
def holders(shop):
    plant(shop)
    with working() as step:
        with heap_graph():
            pass  # what its first use imports is no growth
        for number in range(20):
            grow(shop, number)
            step()
        gc.collect()
        with heap_graph() as graph:
            before = snapshot_of(graph)
        for number in range(20, 60):
            grow(shop, number)
            step()
        gc.collect()
        with heap_graph() as graph:
            return [holder.growth().to_json() for holder in find_growth(graph, before).holders]


# Path, holder and its type, and the fingerprint of them.
KNOWN = {
    ("module shop → STORE → Store.jobs → ['…'] → […]", "module shop → STORE → Store.jobs", "dict", "399fca234ac950c1"),
    ("module shop → ROWS → […] → ['…']", "module shop → ROWS", "list", "52aa2b7f6ef2418d"),
    ("module shop → LOG → […] → […]", "module shop → LOG", "deque", "5ca00f0a23c8dc2e"),
    ("module shop → HEAD → Node.image", "module shop → HEAD", "Node", "c3b7337f407e7cf6"),
    ("module shop → hook → closure kept → […]", "module shop → hook → closure kept", "list", "a6831bb4e0b77194"),
    (
        "thread painter-… in working.<locals>.work, local kept → […]",
        "thread painter-… in working.<locals>.work, local kept",
        "Thread",
        "9d4b89a1809e9367",
    ),
}
OF_A_CONTEXT = (
    "contextvar images_… of thread painter-… → […]",
    "contextvar images_… of thread painter-…",
    "list",
    "763882c45a85fc55",
)


def test_a_holder_keeps_its_name(holders):
    found = {(one["path"], one["holder"], one["holder_type"], one["fingerprint"]) for one in holders}
    assert found >= KNOWN
    # From CPython 3.14 on a thread object may refer to its context, which is a shorter path.
    assert sys.version_info >= (3, 14) or OF_A_CONTEXT in found


def test_a_chain_keeps_its_links(holders):
    chains = {one["fingerprint"]: one["chain"] for one in holders}
    assert chains["a6831bb4e0b77194"] == [
        {"edge": None, "type": "module", "name": "shop"},
        {"edge": "hook", "type": "function", "name": "made_with.<locals>.<lambda>"},
        {"edge": "closure kept", "type": "list", "name": "list", "how": {"kind": "closure", "name": "kept"}},
        {"edge": "[…]", "type": "bytes", "name": "bytes"},
    ]
    assert chains["9d4b89a1809e9367"] == [
        {"edge": None, "type": "list", "name": "thread painter-… in working.<locals>.work, local kept"},
        {"edge": "[…]", "type": "bytes", "name": "bytes"},
    ]
