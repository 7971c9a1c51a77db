import pytest

from labserver.diagnosis.holders.hints import Hint, hint_for_finding, hint_for_holder
from labserver.heap.chain import Link
from labserver.heap.edge import Edge


def chain(*links):
    return [Link(None, "module", "module"), *(Link(Edge.of_words(words), kind, kind) for words, kind in links)]


@pytest.mark.parametrize(
    ("holder", "links", "words"),
    [
        ("dict", [("CACHE", "dict")], "evict"),
        ("deque", [("QUEUE", "deque")], "maxlen"),
        ("_lru_cache_wrapper", [("render", "_lru_cache_wrapper")], "maxsize"),
        ("Store", [("STORE", "Store")], "let go"),
        ("list", [("LAST", "list"), ("[…]", "ValueError"), ("__traceback__", "traceback")], "with_traceback(None)"),
        ("list", [("HOOKS", "list"), ("[…]", "function"), ("__closure__", "tuple"), ("[…]", "cell")], "closure"),
        ("list", [("root", "Logger"), ("handlers", "list")], "handlers or filters are added per job"),
        ("dict", [("on_done", "Signal"), ("receivers", "dict")], "disconnect"),
        ("list", [("VIEWS", "list"), ("[…]", "memoryview")], "copy the part"),
        ("dict", [("THREADS", "dict"), ("['…']", "Thread")], "evict"),
    ],
)
def test_the_remedy_fits_the_holder_and_what_lies_on_its_chain(holder, links, words):
    assert words in hint_for_holder(holder, chain(*links)).text


@pytest.mark.parametrize(
    ("holder", "links", "item", "words"),
    [
        ("defaultdict", [("['…']", "list"), ("[…]", "str")], "str", "items are appended per job and never removed"),
        ("dict", [("['…']", "User"), ("visits", "deque"), ("[…]", "dict")], "dict", "maxlen"),
        ("list", [("[…]", "dict"), ("['…']", "bytes")], "bytes", "entries are added per job"),
        ("defaultdict", [("['…']", "list"), ("[…]", "str")], "list", "each job makes a new key"),
        ("dict", [("['…']", "User"), ("visits", "list"), ("[…]", "dict")], "User", "entries are added per job"),
        ("Queue", [("queue", "deque"), ("[…]", "bytes")], "bytes", "its consumer still runs"),
    ],
)
def test_what_is_mended_is_the_container_that_the_items_come_to(holder, links, item, words):
    links = chain(("KEPT", holder), *links)
    assert words in hint_for_holder(holder, links, holder_at=1, item_type=item).text


@pytest.mark.parametrize(
    ("entries", "words"), [(400, "items are appended per job"), (3, "a new tuple is made from the old one")]
)
def test_an_entry_that_came_with_its_item_has_not_grown(entries, words):
    links = chain(("QUEUE", "list"), ("[…]", "tuple"), ("[…]", "Event"))
    assert words in hint_for_holder("list", links, holder_at=1, item_type="Event", items=400, entries=entries).text


def test_what_is_said_of_the_place_is_not_said_again_of_the_items():
    links = [Link(None, "module", "sys"), *chain(("modules", "dict"), ("['…']", "module"))[1:]]
    assert hint_for_holder("dict", links, holder_at=1).text.count("sys.modules") == 1


def test_a_declared_bound_says_more_than_the_type():
    links = chain(("CACHE", "dict"))
    assert "grows beyond it" in hint_for_holder("dict", links, entries=129, bound=128).text
    assert "may only be filling" in hint_for_holder("dict", links, entries=128, bound=128).text


@pytest.mark.parametrize("kind", ["unexplained", "native", "cycles", "c-held", "lost-reference", "threads"])
def test_each_kind_of_finding_has_a_remedy(kind):
    assert hint_for_finding(kind).text


def test_an_unknown_kind_has_none():
    assert hint_for_finding("of a later version") == Hint()


def test_what_c_code_holds_gets_the_hint_of_what_it_is():
    root = Link(None, "ValueError", "references from C code")
    traceback = Link(Edge.of_words("__traceback__"), "traceback", "traceback")
    hint = hint_for_finding("c-held", (root, traceback))
    assert "C code keeps references" in hint.text
    assert "with_traceback(None)" in hint.text
    assert "traceback" not in hint_for_finding("c-held", (root,)).text
