"""What one version of the agent says, and another one reads."""

import json

import pytest

from labserver.errors import CannotRun
from labserver.heap.chain import Chain, Link
from labserver.heap.edge import ITEM, attribute
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import Garbage, HeapGrowth, HolderGrowth, Site
from labserver.heap.origin import Origin
from labserver.heap.wire import BaselineTaken, Collected, FloorReading, MemoryMeter, MemoryNow

STACK = (
    Frame("json/decoder.py", 353, "JSONDecoder.raw_decode", Origin.STANDARD),
    Frame("shop.py", 3, "work", Origin.APPLICATION),
)
HOLDER = HolderGrowth(
    path="module shop → KEPT → […]",
    holder="module shop → KEPT",
    holder_type="list",
    buffer_type="bytes",
    buffers=100,
    growth_bytes=500_000,
    retained_bytes=503_300,
    chain=Chain((Link(None, "module", "shop"), Link(attribute("KEPT"), "list", "list"), Link(ITEM, "bytes", "bytes"))),
    also_held_by=("module shop → LOG",),
    allocated_at=("shop.py:3 in work",),
    stack=STACK,
    fingerprint="0",
)
MESSAGES = [
    FloorReading(heap_bytes=5, mapped_bytes=2, traced_bytes=None, threads=3, collecting=False),
    BaselineTaken(objects=3, bytes=5, complete=False, notes=("In part.",)),
    HeapGrowth(holders=(HOLDER,), bytes=None, objects=7, garbage=Garbage(2, 9), notes=("A note.",), complete=False),
    Site(5, 1, ("shop.py:3 in work",), STACK),
    Collected(3, None),
    MemoryNow(heap_bytes=None, resident_bytes=5, live_jobs=1, finished_jobs=2),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_read_as_it_was_sent_and_what_a_newer_version_adds_is_ignored(message):
    sent = json.loads(json.dumps(message.to_json()))
    assert type(message).from_json(sent | {"of_a_later_version": [{}]}) == message


def test_what_the_first_version_sent_is_still_read():
    """Keys as they were before some were added."""
    assert FloorReading.from_json({"heap_bytes": 5, "traced_bytes": None, "threads": 1, "collecting": True}) == (
        FloorReading(heap_bytes=5, threads=1, collecting=True)
    )
    assert MemoryNow.from_json({"heap_bytes": 5, "resident_bytes": 9}).live_jobs is None
    growth = HeapGrowth.from_json({"holders": []})
    assert (growth.bytes, growth.garbage, growth.notes, growth.complete) == (None, Garbage(), (), True)


def test_a_frame_of_an_origin_that_a_newer_version_tells_is_read():
    assert Frame.from_json(STACK[0].to_json() | {"origin": "generated"}).origin is Origin.LIBRARY
    assert Site.from_json({"bytes": 5, "blocks": 1, "allocated_at": ["shop.py:3 in work"]}).stack == ()


def test_the_keys_of_a_holder_are_those_that_other_versions_look_for():
    assert {"path", "holder", "holder_type", "buffer_type", "buffers", "growth_bytes", "retained_bytes"} < (
        HOLDER.to_json().keys()
    )
    assert HOLDER.to_json()["chain"][1] == {"edge": "KEPT", "type": "list", "name": "list"}


def test_a_link_tells_the_bases_of_its_type_where_there_are_any_and_is_read_without_them():
    store = Link(attribute("STORE"), "Store", "Store", ("shop.Store", "builtins.dict"))
    sent = json.loads(json.dumps(store.to_json()))
    assert sent == {"edge": "STORE", "type": "Store", "name": "Store", "bases": ["shop.Store", "builtins.dict"]}
    assert Link.from_json(sent).bases == ("shop.Store", "builtins.dict")
    del sent["bases"]
    assert Link.from_json(sent) == store  # a path is the same, whichever version tells it
    assert Link.from_json(sent).bases == ()


@pytest.mark.parametrize("answer", [{}, {"threads": 1}, [], None, {"threads": 1, "heap_bytes": 5}])
def test_an_answer_that_cannot_be_read_is_one_sentence(answer):
    with pytest.raises(CannotRun, match="another version of labserver"):
        FloorReading.from_json(answer)


@pytest.mark.parametrize(
    ("figures", "meter", "used"),
    [
        ({"heap_bytes": 5, "traced_bytes": 4}, MemoryMeter.HEAP, 5),
        ({"traced_bytes": 4}, MemoryMeter.TRACED, 4),
        ({"private_bytes": 0}, MemoryMeter.PRIVATE, 0),
    ],
)
def test_a_floor_is_judged_by_the_best_of_its_figures(figures, meter, used):
    floor = FloorReading(**figures, threads=1, collecting=True)
    assert (floor.meter, floor.used_bytes) == (meter, used)
