import gc
import json
import tracemalloc
from dataclasses import replace

import psutil
import pytest

from labserver.diagnosis import instruments as module
from labserver.diagnosis.instruments import Instruments, commands
from labserver.errors import UsageError
from labserver.heap.budget import Budget
from labserver.heap.origin import Origin


@pytest.fixture(scope="module")
def instruments():
    return Instruments()


def test_growth_is_told_at_several_floors_against_one_baseline(shop, instruments):
    shop.STORE = {}
    before = instruments.baseline()
    assert before.objects > 10_000
    assert before.complete
    objects = len(gc.get_objects())
    shop.STORE.update({n: bytes(5000) for n in range(100)})
    first = instruments.growth()
    again = instruments.growth()
    assert [replace(one, cohorts=()) for one in again.holders] == [replace(one, cohorts=()) for one in first.holders]
    assert [one.cohorts for one in again.holders] == [(*one.cohorts, 0) for one in first.holders]
    shop.STORE.update({n: bytes(5000) for n in range(100, 300)})
    second = instruments.growth()
    # The looks are taken in copies of this process: nothing of them stays here.
    assert len(gc.get_objects()) - objects < 300
    counts = [[(one.holder, one.buffers) for one in floor.holders] for floor in (first, second)]
    assert ("module shop → STORE", 100) in counts[0]
    assert ("module shop → STORE", 300) in counts[1]
    assert first.holders[0].fingerprint == second.holders[0].fingerprint
    assert second.holders[0].growth_bytes / second.bytes == pytest.approx(1, abs=0.02)
    assert second.garbage.objects < 50


def test_growth_without_a_baseline_is_a_mistake_in_one_sentence():
    with pytest.raises(UsageError, match="no baseline"):
        Instruments().growth()


def test_the_sites_are_those_that_kept_the_most(shop):
    def keep():
        shop.STORE = [bytes(10_000) for _ in range(50)]

    tracemalloc.start(10)
    try:
        keep()
        sites = commands()["sites"]()
    finally:
        tracemalloc.stop()
    assert sites[0]["bytes"] >= 500_000
    assert 50 <= sites[0]["blocks"] <= 60
    assert "in test_the_sites_are_those_that_kept_the_most.keep" in sites[0]["allocated_at"][0]
    assert sites == sorted(sites, key=lambda site: -site["bytes"])


def parsed():
    return json.loads('{"order": {"id": 1, "lines": ["one", "two"]}}')


def test_the_sites_are_those_of_what_came_since_the_baseline(shop, instruments):
    """A cache that is full replaces its entries, which are new and no growth."""
    shop.CACHE, shop.STORE = {}, []
    tracemalloc.start(25)
    try:
        for job in range(80):
            if job == 40:
                instruments.baseline()
            if job >= 40:
                shop.STORE.append(parsed())
            shop.CACHE[job % 20] = bytes(20_000)
        sites = instruments.sites()
    finally:
        tracemalloc.stop()
    parser = [site for site in sites if site.stack[0].file == "json/decoder.py"]
    assert sum(site.bytes for site in parser) > 40 * 300
    assert next(frame.function for frame in parser[0].stack if frame.is_own) == "parsed"
    assert "test_instruments.py:" in parser[0].allocated_at[0]
    assert sum(site.bytes for site in sites) < 200_000 < 20 * 20_000
    assert not [frame for site in sites for frame in site.stack if frame.origin is Origin.TOOL]


def test_traces_that_are_too_many_to_be_seen_leave_no_sites(shop, instruments, monkeypatch):
    tracemalloc.start(25)
    try:
        shop.STORE = [bytes(10_000) for _ in range(50)]
        monkeypatch.setattr(module, "look_budget", lambda: Budget(tracemalloc.get_tracemalloc_memory()))
        assert instruments.sites() == ()
    finally:
        tracemalloc.stop()


def test_a_holder_is_told_with_the_whole_stack_of_its_items(shop, instruments):
    shop.STORE = []
    tracemalloc.start(25)
    try:
        instruments.baseline()
        shop.STORE += [parsed() for _ in range(200)]
        (holder,) = [one for one in instruments.growth().holders if one.holder == "module shop → STORE"]
    finally:
        tracemalloc.stop()
    assert holder.stack[0].file == "json/decoder.py"
    own = [str(frame) for frame in holder.stack if frame.is_own]
    assert "in parsed" in own[0]
    assert holder.allocated_at == tuple(own)


def test_no_descriptor_is_left_open():
    gc.collect()
    before = psutil.Process().num_fds()
    Instruments()
    gc.collect()
    assert psutil.Process().num_fds() <= before


@pytest.mark.parametrize("budget", [Budget(1 << 40, 0.0), Budget(1000)], ids=["time", "memory"])
def test_a_heap_beyond_the_budget_is_seen_in_part_and_said_to_be(shop, monkeypatch, budget):
    shop.STORE = {}
    ample, small = Instruments(), Instruments()
    whole = ample.baseline()
    monkeypatch.setattr(module, "look_budget", lambda: budget)
    part = small.baseline()
    assert (whole.complete, part.complete) == (True, False)
    assert part.objects < whole.objects
    shop.STORE.update({n: bytes(5000) for n in range(100)})
    cut = ample.growth()
    assert (cut.complete, cut.bytes) == (False, None)
    monkeypatch.undo()
    assert ample.growth().complete
    assert not small.growth().complete
