"""What nothing but C code holds, or what C code has lost count of."""

import atexit
import codecs
import ctypes
import functools
import gc
import itertools
import os
import sqlite3
import threading
import uuid

from mode import leak, mode

keep_for_ever = ctypes.PyDLL(None).Py_IncRef
keep_for_ever.argtypes = [ctypes.py_object]


def key():
    return uuid.uuid4().hex


@mode(leak(1785, give=0.08, item="partial|function|method", line="atexit.register( | data = bytes(1500)"))
def exit_handlers():
    """Each job registers what is to be cleaned up at the end."""

    def work(_):
        data = bytes(1500)
        atexit.register(functools.partial(len, data))

    return work


@mode(leak(1072, give=0.05, line="data = bytes(1024)"))
def lost_bytes():
    """One reference too many, as an extension loses it, of what the collector does not know."""

    def work(_):
        data = bytes(1024)
        keep_for_ever(data)

    return work


@mode(leak(870, give=0.1, item="Order", line="order = Order() | self.lines ="))
def lost_objects():
    class Order:
        def __init__(self):
            self.lines = [key() * 20]

    def work(_):
        order = Order()
        keep_for_ever(order)

    return work


@mode(leak(item="ValueError", line='int(f"{len(data)} B") | keep_for_ever(error) | data = bytes(1500)'))
def lost_exceptions():
    def work(_):
        data = bytes(1500)
        try:
            int(f"{len(data)} B")
        except ValueError as error:
            keep_for_ever(error)

    return work


@mode(leak(993, give=0.08, item="dict", line='record = {"number"'))
def lost_dictionaries():
    def work(number):
        record = {"number": number, "text": key() * 20, "lines": []}
        keep_for_ever(record)

    return work


@mode(leak(1817, give=0.08, item="function", line="data = bytes(1500) | codecs.register("))
def codecs_searched():
    """The list of search functions is the interpreter's."""

    def work(_):
        data = bytes(1500)
        codecs.register(lambda name: None if data else name)

    return work


@mode(leak(1817, give=0.08, item="function", line="data = bytes(1500) | os.register_at_fork("))
def hooks_at_fork():
    def work(_):
        data = bytes(1500)
        os.register_at_fork(after_in_parent=lambda: len(data))

    return work


@mode(leak(2065, give=0.08, item="function", line="data = bytes(1500) | connection.create_function("))
def functions_of_sqlite():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    lock = threading.Lock()

    def work(_):
        data = bytes(1500)
        with lock:
            connection.create_function(f"f_{key()}", 0, lambda: len(data))

    return work


@mode(leak(1270, give=0.15, item="function", holder="callbacks", line="data = bytes(6000) | gc.callbacks.append("))
def callbacks_of_the_collector():
    """A list of Python's, which only the collector uses."""

    def work(number):
        if number % 5 == 0:
            data = bytes(6000)
            gc.callbacks.append(lambda *_: data)

    return work


@mode(leak(1561, give=0.04, item="bytes|.*tee.*", holder="readers", line="itertools.tee( | bytes(1500)"))
def iterators_split():
    """A split iterator keeps what its slower half has not read."""
    source = (bytes(1500) for _ in itertools.count())
    fast, slow = itertools.tee(source)
    readers = {"slow": slow}
    lock = threading.Lock()

    def work(_):
        with lock:
            next(fast)
        return readers

    return work
