import functools
import queue
import re
import sys
import types
from collections import OrderedDict, deque
from pathlib import Path

import pytest


class Cache:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("entries", "max_entries")

    def __init__(self, most):
        self.max_entries, self.entries = most, {}


class Sly:
    @property
    def maxsize(self):
        raise AssertionError("code of the application must not run")


@pytest.fixture
def bound_of(said):
    """The bound on a container, which is the last of a path of objects."""
    return lambda *path: said(path[-1], path[0]).bound


@pytest.fixture
def entries_of(bound_of):
    """Its entries."""

    def entries(*path):
        bound = bound_of(*path)
        return None if bound is None else bound.entries

    return entries


def test_the_smallest_bound_counts(bound_of):
    recent = deque(maxlen=7)
    bound = bound_of(Cache(maxsize=100, recent=recent), recent)
    assert (bound.entries, bound.said_by) == (7, "deque.maxlen")


def test_a_bound_that_is_farther_up_is_of_something_else(entries_of):
    entries = {}
    assert entries_of(Cache(maxsize=5, store=Cache(entries=entries)), entries) is None
    assert entries_of(Cache(maxsize=5, stores=[entries]), entries) is None


@pytest.mark.parametrize(
    "name",
    [
        *("maxsize", "max_size", "_max_entries", "maxItems", "_Cache__maxsize", "max_items"),
        *("size_limit", "maximum_size", "_max_results"),
    ],
)
def test_a_bound_has_many_names(bound_of, name):
    entries = {}
    bound = bound_of(Cache(**{name: 30}, entries=entries), entries)
    assert (bound.entries, bound.said_by) == (30, f"Cache.{name}")


@pytest.mark.parametrize("name", ["limit", "capacity", "cap"])
def test_a_name_that_may_be_of_anything_is_no_bound(entries_of, name):
    entries = {}
    assert entries_of(Cache(**{name: 30}, entries=entries), entries) is None


def test_of_two_containers_a_name_alone_says_nothing(entries_of):
    entries, others = dict.fromkeys(range(9)), list(range(4))
    assert entries_of(Cache(maxsize=30, entries=entries, clients=others), entries) is None
    # Tables of the same entries have the same length.
    assert entries_of(Cache(maxsize=30, entries=entries, order=list(entries)), entries) == 30


def test_slots_and_queues_declare_their_bounds(entries_of):
    slotted, line, endless = Slotted(12), queue.Queue(maxsize=9), queue.Queue()
    assert entries_of(slotted, slotted.entries) == 12
    assert entries_of(line, line.queue) == 9
    assert entries_of(endless, endless.queue) is None


def test_a_memoized_function_declares_its_size(entries_of):
    assert entries_of(functools.lru_cache(maxsize=12)(len)) == 12
    assert entries_of(functools.cache(len)) is None


@pytest.mark.parametrize(
    "owner",
    [
        *({"maxsize": 3}, [3], deque(), OrderedDict(), Cache(maxsize=None), Cache(maxsize=0), Cache(size=3), Sly(), 3),
        *(Cache(maxsize=True), Cache(limits=3), Cache(max_content_length=3)),
    ],
)
def test_nothing_else_is_a_bound(bound_of, owner):
    assert bound_of(owner) is None


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
    "a local of that name": "CACHE = value.CACHE\n    if len(CACHE) > 1000: CACHE.pop(key)",
    "a length that is not a number": "if len(CACHE) > value: CACHE.pop(key)",
}


@pytest.mark.parametrize("code", KEPT_BY_HAND.values(), ids=KEPT_BY_HAND)
def test_a_bound_that_is_kept_by_hand_is_found(shop_cache, bound_of, code):
    module = shop_cache(GLOBAL % code)
    bound = bound_of(module, vars(module), module.CACHE)
    assert bound.entries == 1000
    assert bound.said_by == "shop/cache.py:7 compares len(CACHE) with 1000"


@pytest.mark.parametrize("code", NO_BOUND.values(), ids=NO_BOUND)
def test_other_code_keeps_no_bound(shop_cache, bound_of, code):
    module = shop_cache(GLOBAL.replace("%s", code))
    assert bound_of(module, vars(module), module.CACHE) is None


ADDING = """
import logging
CACHE = []
OTHER = {}
MOST = 1000
def put(key, value):
    %s
"""
ADDS_UP_TO = {
    "where there is room": "if len(CACHE) < 1000: CACHE.append(value)",
    "the other way round": "if 1000 > len(CACHE): CACHE.insert(0, value)",
    "an early return": "if len(CACHE) >= MOST: return\n    CACHE.append(value)",
    "an early error": "if not len(CACHE) < MOST: raise OverflowError\n    CACHE.append(value)",
    "one condition of two": "if key and len(CACHE) < MOST:\n        logging.info(key)\n        CACHE.append(value)",
    "under a lock": "with LOCK:\n        if len(CACHE) < MOST: CACHE.append(value)",
    "a loop": "while len(CACHE) < MOST: CACHE.append(value)",
    "an expression": "len(CACHE) < MOST and CACHE.append(value)",
    "the largest of two": "if len(CACHE) < 5: CACHE.append(key)\n    if len(CACHE) < 1000: CACHE.append(value)",
    "in place": "global CACHE\n    if len(CACHE) < MOST: CACHE += [value]",
}
ADDS_FOR_EVER = {
    "either of two": "if key or len(CACHE) < MOST: CACHE.append(value)",
    "one place of two": "if len(CACHE) < 5: CACHE.append(key)\n    CACHE.append(value)",
    "another function": "if len(CACHE) < 5: CACHE.append(key)\ndef more(value):\n    CACHE.extend(value)",
    "the other branch": "if len(CACHE) < 5: logging.info(key)\n    else: CACHE.append(value)",
    "where there is none": "if len(CACHE) > 5: CACHE.append(value)",
    "a handler": "try:\n        if len(CACHE) < 5: CACHE.append(key)\n    except KeyError: CACHE.append(value)",
    "something else": "if len(CACHE) < 5: OTHER[key] = value",
    "in place": "global CACHE\n    CACHE += [value]\n    if len(CACHE) > 5: logging.info(key)",
}


@pytest.mark.parametrize("code", ADDS_UP_TO.values(), ids=ADDS_UP_TO)
def test_what_is_added_only_while_there_is_room_is_bounded(shop_cache, bound_of, code):
    module = shop_cache(ADDING % code)
    bound = bound_of(module, vars(module), module.CACHE)
    assert bound.entries == 1000
    assert re.fullmatch(r"shop/cache.py:\d compares len\(CACHE\) with 1000", bound.said_by)


@pytest.mark.parametrize("code", ADDS_FOR_EVER.values(), ids=ADDS_FOR_EVER)
def test_what_is_also_added_without_a_look_at_the_room_is_not(shop_cache, bound_of, code):
    module = shop_cache(ADDING % code)
    assert bound_of(module, vars(module), module.CACHE) is None


def test_a_class_may_add_up_to_its_bound_too(shop_cache, bound_of):
    store = shop_cache(
        "class Store:\n"
        "    def __init__(self, first, room):\n        self._kept, self._room = [], room\n"
        "        self._kept.append(first)\n"
        "    def put(self, value):\n        if len(self._kept) < self._room: self._kept.append(value)\n"
    ).Store(1, 40)
    bound = bound_of([store], store, store._kept)
    assert (bound.entries, bound.said_by) == (40, "shop/cache.py:6 compares len(_kept) with 40")


@pytest.mark.parametrize(
    ("code", "bounded"),
    [
        ("if len(CACHE) < 10 * 100: CACHE.append(value)", True),
        ("assert len(CACHE) < MOST\n    CACHE.append(value)", True),
        ("while True:\n        if len(CACHE) >= MOST: break\n        CACHE.append(value)", True),
        ("for one in value:\n        if len(CACHE) >= MOST: continue\n        CACHE.append(one)", True),
        ("for one in value:\n        if len(CACHE) >= MOST: break\n    else:\n        CACHE.append(one)", False),
        ("for one in value:\n        CACHE.append(one)\n        if len(CACHE) >= MOST: break", False),
        ("CACHE.append(value) if len(CACHE) < MOST else None", True),
        ("CACHE.append(value) if key else len(CACHE) < MOST", False),
        ("try:\n        if len(CACHE) >= MOST: return\n    finally:\n        CACHE.append(value)", False),
        (
            "try:\n        if len(CACHE) >= MOST: return\n    finally: OTHER[key] = value\n    CACHE.append(value)",
            True,
        ),
        ("match value:\n        case 1 if len(CACHE) < MOST: CACHE.append(value)\n        case _: pass", True),
        ("match value:\n        case 1 if len(CACHE) < MOST: pass\n        case other: CACHE.append(other)", False),
        ("if len(CACHE) >= MOST:\n        while True: logging.info(key)\n    CACHE.append(value)", True),
        ("if not (key or not len(CACHE) < MOST): CACHE.append(value)", True),
        ("if not (key and not len(CACHE) < MOST): CACHE.append(value)", False),
        ("def inner():\n        CACHE.append(value)\n    if len(CACHE) < MOST: inner()", False),
    ],
)
def test_source_and_bytecode_follow_the_same_ways(shop_cache, bound_of, code, bounded):
    module = shop_cache(ADDING % code)
    bound = bound_of(module, vars(module), module.CACHE)
    assert (bound is not None and bound.entries == 1000) == bounded


PRIVATE = """
class Store:
    def __init__(self):
        self.__kept, self.__most, self.discard = [], 30, None
    def put(self, value):
        while len(self.__kept) >= self.__most:
            self.__kept.pop(0)
        self.__kept.append(value)
"""


def test_a_private_attribute_is_known_by_the_name_that_the_compiler_gives_it(shop_cache, entries_of):
    store = shop_cache(PRIVATE).Store()
    assert entries_of([store], store, store._Store__kept) == 30


@pytest.mark.parametrize(
    ("code", "entries"),
    [
        ("try: logging.info(key)\n        except OSError: CACHE.append(value)", 1000),
        ("[CACHE.append(one) for one in value]", 1000),
        ("CACHE[len(value)] += value", 1000),
    ],
)
def test_the_source_tells_more_than_the_bytecode(entries_of, tmp_path, monkeypatch, code, entries):
    """A handler lies where it stands, a comprehension is a part of its function, and `+=` sets an item."""
    monkeypatch.chdir(tmp_path)
    Path("shop.py").write_text(ADDING % f"if len(CACHE) < MOST:\n        {code}", encoding="utf-8")
    module = types.ModuleType("shop")
    exec(compile(Path("shop.py").read_bytes(), "shop.py", "exec"), vars(module))
    assert entries_of(module, vars(module), module.CACHE) == entries


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
def test_a_class_keeps_the_bound_of_its_attribute(shop_cache, bound_of, limit, entries):
    store = shop_cache(CLASS % limit).Store()
    bound = bound_of([store], store, store._entries)
    assert bound.entries == entries
    assert bound.said_by == f"shop/cache.py:10 compares len(_entries) with {entries}"
    assert bound_of([store], store, store._other) is None
    assert bound_of([store], store, vars(store), store._entries) == bound


def test_a_container_of_its_own_class_keeps_its_bound(shop_cache, bound_of):
    cache = shop_cache(CLASS % 1).Lru()
    bound = bound_of([cache], cache)
    assert (bound.entries, bound.said_by) == (300, "shop/cache.py:18 compares len(Lru) with 300")


@pytest.mark.parametrize(
    "put",
    [
        "if len(self) < 300: self[key] = value",
        "while len(self) >= 300:\n            for old in self:\n                del self[old]\n                break",
        "for old in list(self)[: len(self) > 300]: del self[old]",
    ],
)
def test_a_container_may_keep_its_own_items_to_a_number(shop_cache, bound_of, put):
    cache = shop_cache(f"class Own(dict):\n    def put(self, key, value):\n        {put}\n").Own()
    bound = bound_of([cache], cache)
    assert (bound.entries, bound.said_by) == (300, "shop/cache.py:3 compares len(Own) with 300")


def test_an_attribute_that_is_called_as_a_method_removes_nothing(shop_cache, bound_of):
    flag = "if len(self) > 300: self.discard = True"
    cache = shop_cache(f"class Own(dict):\n    def put(self, key, value):\n        {flag}\n").Own()
    assert bound_of([cache], cache) is None


def test_the_standard_library_keeps_no_bound_on_its_threads(bound_of):
    import threading

    assert bound_of(threading, vars(threading), threading._active) is None
    assert bound_of(sys, vars(sys), sys.modules) is None
