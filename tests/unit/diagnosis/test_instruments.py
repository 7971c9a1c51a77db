import gc
import tracemalloc
from dataclasses import replace

import psutil
import pytest

from labserver.diagnosis import instruments as module
from labserver.diagnosis.instruments import Instruments, commands
from labserver.errors import UsageError
from labserver.heap.budget import Budget


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
