import functools
import queue
import sys
import types
from collections import OrderedDict, deque

import pytest

from labserver.diagnosis.bounds import bound_of


class Cache:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("capacity", "entries")

    def __init__(self, capacity):
        self.capacity, self.entries = capacity, {}


class Sly:
    @property
    def maxsize(self):
        raise AssertionError("code of the application must not run")


def entries_of(*path):
    bound = bound_of(path)
    return None if bound is None else bound.entries


def test_the_smallest_bound_near_the_holder_counts():
    recent = deque(maxlen=7)
    bound = bound_of([Cache(maxsize=100, recent=recent), recent])
    assert (bound.entries, bound.said_by) == (7, "deque.maxlen")
    assert entries_of(Cache(maxsize=5), Cache(), {}, [], []) is None


@pytest.mark.parametrize(
    "name",
    [
        *("maxsize", "max_size", "_max_entries", "maxItems", "capacity", "_Cache__maxsize", "max_items", "limit"),
        *("cap", "size_limit", "maximum_size", "_max_results"),
    ],
)
def test_a_bound_has_many_names(name):
    entries = {}
    bound = bound_of([Cache(**{name: 30}, entries=entries), entries])
    assert (bound.entries, bound.said_by) == (30, f"Cache.{name}")


def test_slots_and_queues_declare_their_bounds():
    slotted, line = Slotted(12), queue.Queue(maxsize=9)
    assert entries_of(slotted, slotted.entries) == 12
    assert entries_of(line, line.queue) == 9
    assert entries_of(queue.Queue(), deque()) is None


def test_a_memoized_function_declares_its_size():
    assert entries_of(functools.lru_cache(maxsize=12)(len)) == 12
    assert entries_of(functools.cache(len)) is None


@pytest.mark.parametrize(
    "owner",
    [
        *({"maxsize": 3}, [3], deque(), OrderedDict(), Cache(maxsize=None), Cache(maxsize=0), Cache(size=3), Sly(), 3),
        *(Cache(maxsize=True), Cache(limits=3), Cache(max_content_length=3)),
    ],
)
def test_nothing_else_is_a_bound(owner):
    assert bound_of([owner]) is None


GLOBAL = """
import logging
CACHE = {}
MOST = 1000
def put(key, value):
    CACHE[key] = value
    %s
"""
KEPT_BY_HAND = {
    "a constant": "if len(CACHE) > 1000: CACHE.pop(next(iter(CACHE)))",
    "the other way round": "if 1000 <= len(CACHE): CACHE.clear()",
    "a global": "while len(CACHE) >= MOST: del CACHE[next(iter(CACHE))]",
    "a closure": "(lambda: len(CACHE) > MOST and CACHE.popitem())()",
    "a helper": "if len(CACHE) > MOST: evict()\ndef evict():\n    CACHE.popitem()",
    "a replacement": "if len(CACHE) > MOST:\n        start_anew()\ndef start_anew():\n    global CACHE\n    CACHE = {}",
}
NO_BOUND = {
    "logging only": "logging.info('%d', len(CACHE))",
    "a comparison without removal": "if len(CACHE) > 1000: logging.warning('many')",
    "a removal without comparison": "CACHE.pop(key, None)",
    "the removal of something else": "if len(CACHE) > 1000: [value].pop()",
    "another length": "if len(value) > 1000: CACHE.pop(key)",
    "a length that is not a number": "if len(CACHE) > value: CACHE.pop(key)",
}


@pytest.fixture
def shop_cache():
    """Makes a module of some code; its file is not there, as for an installed application's bytecode."""

    def module(code):
        found = types.ModuleType("shop.cache")
        exec(compile(code, "shop/cache.py", "exec"), vars(found))
        return found

    return module


@pytest.mark.parametrize("code", KEPT_BY_HAND.values(), ids=KEPT_BY_HAND)
def test_a_bound_that_is_kept_by_hand_is_found(shop_cache, code):
    module = shop_cache(GLOBAL % code)
    bound = bound_of([module, vars(module), module.CACHE])
    assert bound.entries == 1000
    assert bound.said_by == "shop/cache.py:7 compares len(CACHE) with 1000"


@pytest.mark.parametrize("code", NO_BOUND.values(), ids=NO_BOUND)
def test_other_code_keeps_no_bound(shop_cache, code):
    module = shop_cache(GLOBAL.replace("%s", code))
    assert bound_of([module, vars(module), module.CACHE]) is None


CLASS = """
class Store:
    LEAST = 50
    def __init__(self):
        self._entries = {}
        self._other = {}
        self._most = 200
    def put(self, key, value):
        self._entries[key] = value
        if len(self._entries) > %s:
            self._evict()
    def _evict(self):
        self._entries.pop(next(iter(self._entries)))

class Lru(dict):
    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        while len(self) > 300:
            self.pop(next(iter(self)))
"""


@pytest.mark.parametrize(("limit", "entries"), [("self._most", 200), ("self.LEAST", 50), ("70", 70)])
def test_a_class_keeps_the_bound_of_its_attribute(shop_cache, limit, entries):
    store = shop_cache(CLASS % limit).Store()
    bound = bound_of([[store], store, store._entries])
    assert bound.entries == entries
    assert bound.said_by == f"shop/cache.py:10 compares len(_entries) with {entries}"
    assert bound_of([[store], store, store._other]) is None
    assert bound_of([[store], store, vars(store), store._entries]) == bound


def test_a_container_of_its_own_class_keeps_its_bound(shop_cache):
    cache = shop_cache(CLASS % 1).Lru()
    bound = bound_of([[cache], cache])
    assert (bound.entries, bound.said_by) == (300, "shop/cache.py:18 compares len(Lru) with 300")


def test_the_standard_library_keeps_no_bound_on_its_threads():
    import threading

    assert bound_of([threading, vars(threading), threading._active]) is None
    assert bound_of([sys, vars(sys), sys.modules]) is None
