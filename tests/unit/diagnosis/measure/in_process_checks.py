"""Checks in a process of their own, whose heap is small: each look at a test session's takes seconds.

Prints what they came to as JSON.
"""

import functools
import json
import sys
import threading
import tracemalloc
import types
import warnings
from concurrent.futures import Future

from labserver.diagnosis.measure import in_process
from labserver.diagnosis.measure.heuristics import Expiry, Heuristics

# The jobs keep for ever what they keep: it need not be waited for.
leak_check = functools.partial(in_process.leak_check, heuristics=Heuristics(expiry=Expiry(patience_s=0.0)))


def a_module_keeps():
    shop = sys.modules["shop"] = types.ModuleType("shop")
    shop.CACHE = {}

    def job():
        shop.CACHE[len(shop.CACHE)] = bytes(3000)

    seen = []
    result = leak_check(job, name="checkout", on_progress=seen.append)
    return result, {"interval_seen": str(seen[-1].interval)}


def a_closure_keeps():
    kept = []
    result = leak_check(lambda: kept.append(bytes(3000)), name="closure", fast=True)
    return result, {"module_left": "(closure)" in sys.modules}


def phases_of_a_store(*, beside_a_thread):
    """What a check goes through whose store is cleared by a line that it never gets to, at no length of its own."""
    kept, seen, stay = [], [], threading.Event()

    def job():
        kept.append(bytes(3000))
        if stay.is_set():
            kept.clear()

    thread = threading.Thread(target=stay.wait)
    if beside_a_thread:
        thread.start()
    result = leak_check(job, fast=True, on_progress=seen.append)
    stay.set()
    return result, {"phases": sorted({one.phase for one in seen})}


def nothing_acts_by_itself():
    return phases_of_a_store(beside_a_thread=False)


def a_thread_may_expire_it():
    return phases_of_a_store(beside_a_thread=True)


def noise():
    sys.stdout.write("x" * 2000)
    sys.stderr.write("y" * 2000)
    warnings.warn("z" * 2000, DeprecationWarning, stacklevel=1)
    cycle = {"buffer": bytes(2000)}
    cycle["self"] = cycle
    return cycle


def nothing_is_kept():
    with warnings.catch_warnings(record=True) as kept:
        warnings.simplefilter("always")
        result = leak_check(noise)
    return result, {"warnings": len(kept), "tracing": tracemalloc.is_tracing()}


def fail(error):
    raise error


def an_exception_is_kept():
    kept = []

    def job():
        try:
            fail(ValueError(bytes(700)))
        except ValueError as error:
            kept.append(error)

    return leak_check(job, fast=True), {}


def a_frame_is_kept():
    kept = []

    def job():
        kept.append((sys._getframe(), bytes(700)))

    return leak_check(job, fast=True), {}


def a_failure_is_kept():
    kept = []

    def job():
        future = Future()
        try:
            fail(KeyError("no such order"))
        except KeyError as error:
            future.set_exception(error)
        kept.append(future)

    return leak_check(job, fast=True), {}


def the_caller_traces():
    tracemalloc.start(2)
    try:
        result = leak_check(lambda: None, max_jobs=60)
        return result, {"frames": tracemalloc.get_traceback_limit() if tracemalloc.is_tracing() else 0}
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    answers = {}
    for run in (
        a_module_keeps,
        a_closure_keeps,
        nothing_acts_by_itself,
        a_thread_may_expire_it,
        an_exception_is_kept,
        a_frame_is_kept,
        a_failure_is_kept,
        nothing_is_kept,
        the_caller_traces,
    ):
        result, more = run()
        answers[run.__name__] = result.to_dict() | more
    json.dump(answers, sys.stdout)
