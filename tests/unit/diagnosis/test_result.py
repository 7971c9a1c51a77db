from dataclasses import replace

import pytest

from labserver.diagnosis.fact import said
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import HolderGrowth, Site
from labserver.heap.origin import Origin
from labserver.stats.interval import Interval

SAID = {
    "path": "module shop → KEPT → […] → bytes",
    "holder": "module shop → KEPT → list",
    "holder_type": "list",
    "buffer_type": "bytes",
    "buffers": 100,
    "growth_bytes": 90_000,
    "retained_bytes": 91_000,
    "holder_retained_bytes": 120_000,
    "chain": [
        {"edge": None, "type": "module", "name": "module shop"},
        {"edge": "KEPT", "type": "list", "name": "list"},
    ],
    "bound": 50,
    "bound_from": "Store.maxsize",
    "also_held_by": ["module shop → LOG"],
    "allocated_at": ["shop.py:3 in work"],
    "fingerprint": "0",
    "of a later version": 1,
}
ITEM = HolderGrowth.from_json(SAID)
RESULT = CheckResult(
    "shop:app",
    Verdict.LEAK,
    Interval(1000.0, 990.0, 1010.0, 0.99),
    256,
    "both",
    100,
    1.0,
    0,
    floors=((0, 1000), (50, 51_000), (100, 101_000)),
    holders=(NamedHolder.of(ITEM, growth_bytes=100_000),),
)


def test_a_holder_is_read_from_what_the_process_says():
    holder = NamedHolder.of(ITEM, growth_bytes=100_000)
    assert holder.share_of_growth == 0.9
    assert [link.to_json() for link in holder.chain] == SAID["chain"]
    assert holder.allocated_at == ("shop.py:3 in work",)
    assert (holder.bound, holder.bound_from, holder.also_held_by) == (50, "Store.maxsize", ("module shop → LOG",))
    assert NamedHolder.of(ITEM, growth_bytes=100_000, allocated_at=["b.py:1 in x"]).allocated_at == ("b.py:1 in x",)


@pytest.mark.parametrize(("came", "length", "words"), [(40, 51, "beyond"), (40, 50, "filling"), (51, None, "beyond")])
def test_a_bound_is_held_against_all_entries_those_of_the_warm_up_included(came, length, words):
    holder = NamedHolder.of(replace(ITEM, buffers=came, length=length), growth_bytes=100_000)
    assert words in holder.hint
    assert holder.to_dict()["length"] == length


def test_a_stack_goes_with_its_lines():
    parser, own = Frame("json/decoder.py", 353, "raw_decode"), Frame("b.py", 1, "x", Origin.APPLICATION)
    known = replace(ITEM, stack=(own,))
    assert NamedHolder.of(known, growth_bytes=100_000).stack == (own,)
    better = NamedHolder.of(known, growth_bytes=100_000, allocated_at=["b.py:1 in x"], stack=(parser, own))
    assert better.stack == (parser, own)
    assert better.to_dict()["stack"] == ["json/decoder.py:353 in raw_decode", "b.py:1 in x"]
    site = Site(4096, 2, ("b.py:1 in x",), (parser, own))
    assert replace(RESULT, sites=(site,)).to_dict()["sites"] == [
        {
            "bytes": 4096,
            "blocks": 2,
            "allocated_at": ["b.py:1 in x"],
            "stack": ["json/decoder.py:353 in raw_decode", "b.py:1 in x"],
        }
    ]


@pytest.mark.parametrize(("growth", "share"), [(0, 1.0), (45_000, 1.0), (-1, 1.0)])
def test_a_share_is_never_more_than_all(growth, share):
    assert NamedHolder.of(ITEM, growth_bytes=growth).share_of_growth == share


def test_the_growth_is_what_is_held_found_and_left():
    growth = RESULT.growth
    assert (growth.total, growth.jobs, growth.held, growth.found, growth.unexplained) == (
        100_000,
        100,
        90_000,
        0,
        10_000,
    )
    found = replace(
        RESULT, findings=(Finding("cycles", 60.0, (), *said("")), Finding("unexplained", 40.0, (), *said("")))
    )
    assert (found.growth.found, found.growth.unexplained) == (6_000, 4_000)
    assert found.growth.held + found.growth.found + found.growth.unexplained == found.growth.total


def test_two_floors_are_needed_for_a_growth():
    assert replace(RESULT, floors=((0, 1),)).growth is None


def test_the_json_keeps_the_contract():
    plain = replace(
        RESULT, native=Interval(12.0, -300.0, 320.0, 0.99), findings=(Finding("native", 1.0, (), *said("x")),)
    )
    plain = plain.to_dict()
    assert plain["schema"] == "labserver.check/1"
    assert plain["verdict"] == "leak"
    assert plain["bytes_per_job"] == {"estimate": 1000.0, "low": 990.0, "high": 1010.0, "confidence": 0.99}
    assert plain["native_bytes_per_job"] == {"estimate": 12.0, "low": -300.0, "high": 320.0, "confidence": 0.99}
    assert {"target", "tolerance_bytes_per_job", "meter", "jobs", "seconds", "errors", "notes"} < plain.keys()
    assert plain["holders"][0].keys() > {"path", "holder_type", "buffer_type", "buffers", "retained_bytes"}
    assert plain["holders"][0].keys() > {"hint_title", "known_leak_of"}
    assert plain["holders"][0].keys() > {"share_of_growth", "chain", "allocated_at", "fingerprint", "hint"}
    assert list(plain["findings"][0]) == [
        "kind", "bytes_per_job", "allocated_at", "text", "status", "fingerprint", "hint", "hint_title",
        "known_leak_of", "stack", "told", "holders",
    ]  # fmt: skip
    assert plain["findings"][0]["text"] == "x"
    assert plain["growth"]["unexplained_bytes"] == 9_900
    assert replace(RESULT, interval=None, floors=()).to_dict()["growth"] is None


def test_the_fingerprint_of_a_finding_outlives_a_moved_line():
    first, moved, other, kind = (
        Finding(kind, size, (site,), *said("")).fingerprint
        for kind, size, site in (
            ("native", 1.0, "a.py:1 in f"),
            ("native", 9.0, "a.py:77 in f"),
            ("native", 1.0, "a.py:1 in g"),
            ("c-held", 1.0, "a.py:1 in f"),
        )
    )
    assert first == moved
    assert len({first, other, kind}) == 3
