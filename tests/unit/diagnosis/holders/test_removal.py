"""What takes something out of a container, whether it comes by itself, and whether all code was seen."""

import multiprocessing.util
import operator
import os
import types
import weakref
from pathlib import Path

import pytest

from labserver.diagnosis.holders import in_children

GLOBAL = "CACHE, LOG, QUEUE = {}, [], []\ndef work(number):\n    CACHE[number] = bytes(1000)\n"
REMOVING = {
    "pop": ("CACHE", "CACHE.pop(key)"),
    "popitem": ("CACHE", "CACHE.popitem()"),
    "clear": ("CACHE", "CACHE.clear()"),
    "del": ("CACHE", "del CACHE[key]"),
    "remove": ("LOG", "LOG.remove(key)"),
    "a slice that is deleted": ("LOG", "del LOG[:100]"),
    "a slice that is set": ("LOG", "LOG[:] = LOG[-500:]"),
    "another value": ("CACHE", "global CACHE; CACHE = {}"),
    "what is left over": ("LOG", "global LOG; LOG = [line for line in LOG if line]"),
    "a loop": ("CACHE", "for old in list(CACHE): CACHE.pop(old)"),
    "an alias": ("CACHE", "cache = CACHE; cache.clear()"),
    "an alias of an alias": ("CACHE", "cache = CACHE; again = cache; again.clear()"),
    "an inner function": ("CACHE", "(lambda: CACHE.clear())()"),
    "a name of its own": ("CACHE", "del globals()['X']; CACHE.clear()"),
}
KEEPING = {
    "a look": ("CACHE", "return len(CACHE), CACHE.get(key), key in CACHE"),
    "a copy": ("CACHE", "copy = dict(CACHE); copy.clear()"),
    "another container": ("CACHE", "LOG.clear()"),
    "a local of that name": ("CACHE", "CACHE = {}; CACHE.clear()"),
    "an attribute of another object": ("CACHE", "key.CACHE.clear()"),
}
KEPT_WHOLE = {
    "another value that has all of it": ("CACHE", "global CACHE; CACHE = {**CACHE, key: 1}"),
    "more of it": ("LOG", "global LOG; LOG += [key]; LOG = LOG + [key]"),
    "its first value": ("CACHE", "global CACHE\n    if CACHE is None: CACHE = {}"),
}


def removal(said, shop_cache, name, code):
    module = shop_cache(f"{GLOBAL}def keep(key):\n    {code}\n")
    return said(getattr(module, name), module).removal


@pytest.mark.parametrize(("name", "code"), REMOVING.values(), ids=REMOVING)
def test_what_takes_something_out_is_found(said, shop_cache, name, code):
    told = removal(said, shop_cache, name, code)
    assert told.by in {"keep (shop/cache.py:5)", "<lambda> (shop/cache.py:5)"}
    assert not told.runs


@pytest.mark.parametrize(("name", "code"), KEEPING.values(), ids=KEEPING)
def test_what_takes_nothing_out_is_passed_over(said, shop_cache, name, code):
    assert removal(said, shop_cache, name, code).by is None


@pytest.mark.parametrize(("name", "code"), KEPT_WHOLE.values(), ids=KEPT_WHOLE)
def test_the_source_tells_what_has_all_of_it(said, shop_cache, name, code):
    told = removal(said, shop_cache, name, code)
    assert told.by is None or not shop_cache.has_source


@pytest.mark.parametrize("code", ["return len(CACHE), CACHE.get(key), key in CACHE", "for one in CACHE: print(one)"])
def test_where_all_code_was_read_nothing_removes(said, shop_cache, code):
    told = removal(said, shop_cache, "CACHE", code)
    assert (told.seen, told.by) == (True, None)


@pytest.mark.parametrize(
    "code",
    [
        "key(CACHE)",  # a function that nobody knows
        "key.put_away(CACHE)",
        "yield CACHE",
        "return CACHE, key",
        "exec(key, CACHE, LOG); key(**{'cache': CACHE}); key(cache=CACHE)",
    ],
)
def test_where_the_container_goes_out_of_sight_nobody_knows(said, shop_cache, code):
    assert not removal(said, shop_cache, "CACHE", code).seen


STORE = """
class Store:
    def __init__(self):
        self._kept, self.name = self._anew(), "store"
        self._open()
    def _anew(self):
        return {}
    def _open(self):
        self._kept = {}
    def put(self, key, value):
        self._kept[key] = value
        %s
    def evict(self):
        self._kept.popitem()
    def copied(self):
        copy = Store()
        copy._kept = {}
        return copy
class Idle:
    def __init__(self):
        self._kept = {}
    def reset(self):
        self._kept = {}
"""


@pytest.mark.parametrize(
    ("code", "by"),
    [
        (
            "self.evict()",
            {"Store.put (shop/cache.py:12)", "Store.put (shop/cache.py:10)"},
        ),  # from bytecode the function
        ("self._kept.pop(key, None)", {"Store.put (shop/cache.py:12)"}),
        ("self._kept = {}", {"Store.put (shop/cache.py:12)"}),
        ("kept = self._kept; del kept[key]", {"Store.put (shop/cache.py:12)"}),
        ("pass", {"Store.evict (shop/cache.py:14)"}),
    ],
)
def test_what_makes_room_for_what_it_adds_is_named_first(said, shop_cache, code, by):
    module = shop_cache(STORE % code)
    store = module.Store()
    told = said(store._kept, module, store).removal
    assert told.by in by
    assert told.seen


def test_a_first_value_and_another_class_s_attribute_are_no_removal(said, shop_cache):
    module = shop_cache(STORE.replace("self._kept.popitem()", "pass") % "pass")
    store = module.Store()
    assert said(store._kept, module, store).removal.by is None


WAYS_ROUND = {
    "a method of the class": """
class Log(list):
    pass
KEPT = Log()
def forget():
    Log.clear(KEPT)
""",
    "a function made in C": """
import heapq
KEPT = []
def forget():
    heapq.heappop(KEPT)
""",
    "what a function gives back": """
KEPT = []
def kept():
    return KEPT
def forget():
    kept().clear()
""",
    "a set less another": """
KEPT = set()
def forget(old):
    global KEPT
    KEPT -= old
""",
    "an argument": """
KEPT = []
def trim(log):
    del log[:9]
def forget():
    trim(KEPT)
""",
    "an argument of an argument": """
KEPT = []
def trim(log):
    cut(log, 9)
def cut(lines, n):
    del lines[:n]
def forget():
    trim(log=KEPT)
""",
    "a loop over those around": """
KEPT = []
ALL = {'kept': KEPT}
def forget():
    for one in ALL.values():
        one.clear()
""",
    "an item of those around": """
KEPT = []
ALL = {'kept': KEPT}
def forget():
    ALL['kept'].clear()
""",
    "a class's attribute": """
KEPT = []
class Log:
    kept = KEPT
    def forget(self):
        while self.kept:
            self.kept.pop()
""",
    "a property": """
KEPT = []
class Log:
    def __init__(self):
        self._kept = KEPT
    @property
    def kept(self):
        return self._kept
LOG = Log()
def forget():
    LOG.kept.clear()
""",
}


@pytest.mark.parametrize("code", WAYS_ROUND.values(), ids=WAYS_ROUND)
def test_the_ways_round_are_followed_in_the_source(said, tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    Path("shop.py").write_text(code, encoding="utf-8")
    module = types.ModuleType("shop")
    exec(compile(code, "shop.py", "exec"), vars(module))
    told = said(module.KEPT, module).removal
    assert told.by is not None


def test_a_class_made_in_c_among_the_owners_hides_its_code(said):
    module = types.ModuleType("shop")
    kept = []
    vars(module).update(kept=kept, pairs=zip(kept, kept, strict=True), add=kept.append)
    vars(module)["space"] = types.SimpleNamespace(kept=kept)
    assert said(kept, module).removal.seen
    for one in (kept.pop, operator.itemgetter(kept)):
        vars(module)["one"] = one
        assert not said(kept, module).removal.seen


BY_ITSELF = {
    "a timer": """
import threading
KEPT = {}
def sweep():
    for key in list(KEPT):
        del KEPT[key]
    again()
def again():
    global TIMER
    TIMER = threading.Timer(600, sweep)
    TIMER.daemon = True
    TIMER.start()
again()
def end():
    TIMER.cancel()
""",
    "a thread that gets it": """
import threading
KEPT, STOP = {}, threading.Event()
def loop(store, every):
    while not STOP.wait(every):
        store.clear()
threading.Thread(target=loop, args=(KEPT, 600), daemon=True).start()
end = STOP.set
""",
    "a thread's own class, which calls a method": """
import threading
class Store:
    def __init__(self):
        self.kept = {}
    def expire(self):
        for key in list(self.kept):
            self.kept.pop(key, None)
class Sweeper(threading.Thread):
    def __init__(self, store):
        super().__init__(daemon=True)
        self.store, self.stop = store, threading.Event()
    def run(self):
        while not self.stop.wait(600):
            self.store.expire()
STORE = Store()
SWEEPER = Sweeper(STORE)
SWEEPER.start()
KEPT = STORE.kept
end = SWEEPER.stop.set
""",
    "a task": """
import asyncio
KEPT, LOOP = {}, asyncio.new_event_loop()
async def sweep():
    while True:
        await asyncio.sleep(3600)
        KEPT.clear()
async def begin():
    global TASK
    TASK = asyncio.ensure_future(sweep())
    await asyncio.sleep(0)
LOOP.run_until_complete(begin())
def end():
    TASK.cancel()
    LOOP.run_until_complete(asyncio.gather(TASK, return_exceptions=True))
    LOOP.close()
""",
    "a call that an event loop has been told of": """
import asyncio
KEPT, LOOP = {}, asyncio.new_event_loop()
def sweep():
    KEPT.clear()
HANDLE = LOOP.call_later(3600, sweep)
def end():
    HANDLE.cancel()
    LOOP.close()
""",
}


@pytest.mark.parametrize("name", BY_ITSELF)
def test_what_runs_by_itself_is_told(holders, name):
    assert holders[name].removal.runs
    assert holders[name].removal.by is not None


def test_a_thread_that_does_something_else_takes_nothing_out(holders):
    told = holders["idle"].removal
    assert (told.by.partition(" ")[0], told.runs) == ("forget", False)


@pytest.mark.parametrize(
    ("name", "by"), [("queue", "Queue._get "), ("library", "Cache.__setitem__ "), ("users", "log_out ")]
)
def test_the_classes_of_libraries_are_read_like_any_code(holders, name, by):
    assert holders[name].removal.by.startswith(by)


def test_what_gets_more_in_its_place_is_not_taken_out(holders):
    assert holders["copied"].removal.by is None


@pytest.fixture(scope="module")
def holders(grown):
    """Who holds the most, by the name of the code."""
    work = "\ndef work(number):\n    KEPT[number] = bytes(1000)\n"
    codes = {name: code + work for name, code in BY_ITSELF.items()}
    codes["idle"] = (
        "import threading\nKEPT, STOP = {}, threading.Event()\ndef wait():\n    STOP.wait(600)\n"
        "def forget():\n    KEPT.clear()\nthreading.Thread(target=wait, daemon=True).start()\nend = STOP.set\n" + work
    )
    codes["queue"] = "import queue\nKEPT = queue.Queue()\ndef work(number):\n    KEPT.put(bytes(1000))\n"
    codes["library"] = "import cachetools\nKEPT = cachetools.LRUCache(900)\n" + work
    codes["copied"] = (
        "KEPT = {number: [] for number in range(7)}\ndef work(number):\n"
        "    KEPT[number % 7] = [*KEPT[number % 7], bytes(1000)]\n"
    )
    # Who has a list of his own may be dropped as a whole.
    codes["users"] = (
        "USERS = {number: [] for number in range(7)}\ndef work(number):\n    USERS[number % 7].append(bytes(1000))\n"
        "def log_out(user):\n    USERS.pop(user)\n"
    )
    return grown(codes)


def test_weak_references_take_themselves_out(said):
    class Value:
        pass

    module, value = types.ModuleType("shop"), Value()
    module.__dict__["kept"] = kept = {1: weakref.ref(value, print)}
    assert said(kept, module).removal.by == "the callback of its weak references"
    module.__dict__["kept"] = kept = {1: weakref.ref(value)}
    assert said(kept, module).removal.by is None


IN_CHILDREN = {
    "a hook": "def _after_fork():\n    CACHE.clear()\nos.register_at_fork(after_in_child=_after_fork)",
    "a lambda": "os.register_at_fork(after_in_child=lambda: CACHE.clear())",
    "what a hook alone calls": (
        "def _forget():\n    global CACHE; CACHE = {}\n"
        "def renew():\n    _forget()\nos.register_at_fork(after_in_child=renew)"
    ),
    "a hook of multiprocessing's": (
        "import multiprocessing.util\ndef renew(_):\n    CACHE.clear()\n"
        "multiprocessing.util.register_after_fork(work, renew)"
    ),
}
HERE = {
    "a hook that runs in the parent, too": (
        "def renew():\n    CACHE.clear()\nos.register_at_fork(after_in_child=renew, after_in_parent=renew)"
    ),
    "what others call as well": (
        "def _forget():\n    CACHE.clear()\ndef renew():\n    _forget()\ndef sweep():\n    _forget()\n"
        "os.register_at_fork(after_in_child=renew)"
    ),
    "no hook": "def _after_fork():\n    CACHE.clear()",
}


@pytest.fixture
def _own_hooks(monkeypatch):
    """Hooks of a test's own, which no later fork runs."""
    hooks = []
    monkeypatch.setattr(os, "register_at_fork", lambda **given: hooks.append(given))

    def of_children():
        others = [one for given in hooks for name, one in given.items() if name != "after_in_child"]
        return [given["after_in_child"] for given in hooks if given["after_in_child"] not in others]

    monkeypatch.setattr(in_children, "hooks_of_children", of_children)
    monkeypatch.setattr(multiprocessing.util, "_afterfork_registry", weakref.WeakValueDictionary())


@pytest.mark.usefixtures("_own_hooks")
@pytest.mark.parametrize("code", IN_CHILDREN.values(), ids=IN_CHILDREN)
def test_what_runs_in_forked_children_alone_removes_nothing_here(said, shop_cache, code):
    module = shop_cache(f"import os\n{GLOBAL}{code}\n")
    told = said(module.CACHE, module).removal
    assert told.by is None


@pytest.mark.usefixtures("_own_hooks")
@pytest.mark.parametrize("code", HERE.values(), ids=HERE)
def test_what_runs_elsewhere_as_well_may_remove(said, shop_cache, code):
    module = shop_cache(f"import os\n{GLOBAL}{code}\n")
    assert said(module.CACHE, module).removal.by is not None
