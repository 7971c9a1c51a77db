"""Every entry of the catalogue is looked at; a new one needs no test of its own."""

import re
from collections import Counter
from importlib.resources import files

import pytest

from labserver.diagnosis.holders.hint_catalogue import Entry, HintCatalogue, hint_catalogue
from labserver.diagnosis.holders.hints import Hint, hint_for_holder
from labserver.heap.chain import Link
from labserver.heap.edge import Edge

HOLDER_MARK = "*"
ENTRIES = hint_catalogue().entries
ABOUT_HOLDERS = [one for one in ENTRIES if not one.finding]


def chain_of_example(text):
    """`shop → LOG: shop.Log < builtins.list* → […]: str`: links with their bases, and which of them is the holder."""
    links, holder_at = [], None
    for step in text.split(" → "):
        words, types = step.rsplit(": ", 1) if ": " in step else (step, "module")
        if types.endswith(HOLDER_MARK):
            types, holder_at = types.removesuffix(HOLDER_MARK), len(links)
        bases = tuple(types.split(" < "))
        kind = bases[0].rpartition(".")[2]
        # Roots and classes are called by their own names, others by their types; what the interpreter has tells none.
        name = words if not links or kind == "type" else kind
        links.append(Link(Edge.of_words(words) if links else None, kind, name, bases if "." in bases[0] else ()))
    return links, holder_at


def fits(entry, example):
    chain, holder_at = chain_of_example(example)
    holder = chain[holder_at]
    bases = holder.bases or (holder.type,)
    return (
        entry.place_in(chain, holder_at) >= 0
        or entry.is_of_items(chain, holder_at)
        or any(entry.is_of_type(base.rpartition(".")[2], (base,)) for base in bases)
    )


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_says_what_is_done_and_matches_something(entry):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.name)
    assert entry.fix
    assert not (entry.what + entry.fix).endswith(".")
    assert "://" not in entry.text + (entry.title or "")  # a title outlives addresses
    assert bool(entry.finding) != bool(entry.holder or entry.chain or entry.item)
    assert bool(entry.what) == bool(not entry.finding)
    assert entry.known_leak_of is None or entry.title


@pytest.mark.parametrize("entry", ABOUT_HOLDERS, ids=lambda entry: entry.name)
def test_an_entry_is_what_its_own_example_gets_and_not_the_other_one(entry):
    chain, holder_at = chain_of_example(entry.finds)
    assert fits(entry, entry.finds)
    assert entry.text in hint_for_holder(chain[holder_at].type, chain, holder_at=holder_at).text
    if entry is not ABOUT_HOLDERS[-1]:
        assert not fits(entry, entry.leaves)


def test_names_and_patterns_are_unique():
    assert max(Counter(one.name for one in ENTRIES).values()) == 1
    for kind in ("holder", "chain", "item", "finding"):
        patterns = Counter(pattern for one in ENTRIES for pattern in getattr(one, kind))
        assert max(patterns.values()) == 1, kind


def test_the_general_entry_is_the_last_of_its_kind():
    assert ABOUT_HOLDERS[-1].name == "otherwise"
    assert sum(one.is_of_type("NobodyKnowsThis", ()) for one in ABOUT_HOLDERS) == 1


def test_an_entry_with_a_misspelt_key_is_refused():
    with pytest.raises(TypeError, match="matches"):
        Entry.of({"name": "a", "fix": "b", "matches": ["dict"]})
    with pytest.raises(TypeError, match="fix"):
        Entry.of({"name": "a", "holder": ["dict"]})


def test_the_catalogue_lies_in_the_package():
    text = files("labserver.diagnosis.holders").joinpath("hints.toml").read_text(encoding="utf-8")
    assert HintCatalogue.of(text) == hint_catalogue()


@pytest.mark.parametrize(
    ("bases", "words"),
    [
        (("shop.Recent", "shop.Cache", "collections.OrderedDict", "builtins.dict"), "popitem"),
        (("shop.Hits", "collections.Counter", "builtins.dict"), "counts a new key"),
        (("shop.Mail", "shop.Signal"), "receivers are connected"),
        (("shop.Mail", "shop.Post"), "what it holds is added"),
    ],
)
def test_a_holder_gets_the_hint_of_the_nearest_base_that_has_one(bases, words):
    kind = bases[0].rpartition(".")[2]
    chain = [Link(None, "module", "shop"), Link(Edge.of_words("STORE"), kind, kind, bases)]
    assert words in hint_for_holder(kind, chain, holder_at=1).text


MANAGER = "logging → root: logging.RootLogger → manager: logging.Manager → loggerDict: dict"


@pytest.mark.parametrize(
    ("example", "words", "others"),
    [
        (f"{MANAGER} → ['…']: logging.Logger → handlers: list* → […]: logging.NullHandler", "handlers", "new names"),
        (f"{MANAGER}* → ['…']: logging.Logger → handlers: list", "new names", "handlers"),
        ("shop → f: function → closure registry: shop.Registry → jobs: dict* → ['…']: dict", "entries", "generic"),
        ("shop → f: function → closure registry: dict* → ['…']: function", "generic function", "entries"),
        ("typing → hooks: shop.Hooks → _seen: list* → […]: str", "items are appended", "typing"),
        (
            "threading → _active: dict → ['…']: shop.Worker → done: list* → […]: str",
            "items are appended",
            "joined",
        ),
    ],
)
def test_the_place_is_the_nearest_that_is_known_and_not_one_of_somebody_elses_object(example, words, others):
    chain, holder_at = chain_of_example(example)
    text = hint_for_holder(chain[holder_at].type, chain, holder_at=holder_at).text
    assert words in text
    assert others not in text


def test_what_lies_above_the_holder_is_none_of_its_items():
    links, holder_at = chain_of_example("shop → main: coroutine → local rows (main:8): list* → […]: bytes")
    assert "coroutine" not in hint_for_holder("list", links, holder_at=holder_at).text
    links, holder_at = chain_of_example("shop → WAITING: list* → […]: coroutine")
    assert "coroutine" in hint_for_holder("list", links, holder_at=holder_at).text


def test_a_place_below_the_holder_is_not_where_it_hangs():
    links, holder_at = chain_of_example("shop → JOBS: list* → […]: shop.Job → log: logging.Logger → handlers: list")
    assert "handlers" not in hint_for_holder("list", links, holder_at=holder_at).text


def test_a_known_leak_is_said_with_its_title():
    links, holder_at = chain_of_example("shop → __warningregistry__: dict* → {key}: tuple")
    hint = hint_for_holder("dict", links, holder_at=holder_at)
    assert (hint.known_leak_of, hint.title) == ("CPython", "python/cpython#97557: Memory leak: warnings module")
    assert "evict" not in hint.text
    plain = chain_of_example("shop → CACHE: dict* → {key}: tuple")
    assert hint_for_holder("dict", plain[0], holder_at=plain[1]).to_dict() == {
        "hint": "entries are added per job and never removed: bound it, or evict what was fetched or has expired",
        "hint_title": None,
        "known_leak_of": None,
    }
    assert Hint().to_dict() == {"hint": "", "hint_title": None, "known_leak_of": None}
