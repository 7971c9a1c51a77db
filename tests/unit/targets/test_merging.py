from dataclasses import replace

import pytest

from labserver.heap.chain import Chain
from labserver.heap.heap_growth import (
    Extension,
    Garbage,
    HeapGrowth,
    HolderGrowth,
    LostReferences,
    Remembered,
    Removal,
    Site,
    StartedThreads,
    TypeChange,
    WorkerGain,
)
from labserver.heap.message import Message
from labserver.heap.wire import BaselineTaken, Collected, FinishedJobs, FloorReading, LimitKind, LookCost, MemoryLimit
from labserver.targets.merging import MERGED, floor_of, growth_of, merged

PIDS = (11, 12)
HOLDER = HolderGrowth(
    path="module shop → KEPT → […]",
    holder="module shop → KEPT",
    holder_type="list",
    buffer_type="bytes",
    buffers=40,
    growth_bytes=4_000,
    retained_bytes=4_100,
    chain=Chain(()),
    fingerprint="a",
    items=40,
    item_type="bytes",
    item_bytes=4_000,
    length=50,
    bound=100,
    contents=(TypeChange("bytes", 40, 0, 4_000),),
    removal=Removal(seen=True),
    cohorts=(10, 20, 20),
)
SWEPT = Removal(seen=True, by="f (a.py:1)", runs=True)


def floor(heap_bytes, **known):
    return FloorReading(heap_bytes=heap_bytes, threads=2, collecting=True, **known)


def one(*holders, **known):
    return HeapGrowth(holders=holders, bytes=sum(held.growth_bytes for held in holders), **known)


def test_a_floor_is_the_sum_and_what_one_does_not_know_nobody_does():
    found = floor_of([floor(1_000, mapped_bytes=5), floor(2_000)])
    assert (found.heap_bytes, found.mapped_bytes, found.threads, found.processes) == (3_000, None, 4, 2)
    assert found.collecting
    assert not floor_of([floor(1), replace(floor(1), collecting=False)]).collecting


def test_holders_of_one_name_are_one_with_what_each_process_has():
    less = replace(
        HOLDER, items=2, buffers=2, growth_bytes=200, retained_bytes=210, item_bytes=200, length=7, bound=100
    )
    (found,) = growth_of(PIDS, [one(HOLDER), one(less)]).holders
    assert (found.items, found.buffers, found.growth_bytes, found.retained_bytes) == (42, 42, 4_200, 4_310)
    assert (found.length, found.bound) == (57, 200)  # each has a bound of its own
    assert found.contents == (TypeChange("bytes", 80, 0, 8_000),)
    assert found.workers == (WorkerGain(11, 40, 4_000), WorkerGain(12, 2, 200))


def test_a_process_without_a_holder_has_nothing_in_its_column():
    other = replace(HOLDER, fingerprint="b", path="module shop → CACHE", growth_bytes=9_000)
    found = growth_of(PIDS, [one(HOLDER), one(other)]).holders
    assert [held.fingerprint for held in found] == ["b", "a"]  # the most bytes first
    assert [[gain.items for gain in held.workers] for held in found] == [[0, 40], [40, 0]]
    assert found[1].bound == 100  # of the one that has it


def test_two_holders_of_one_name_in_a_process_go_with_two_in_another():
    small = replace(HOLDER, growth_bytes=100, items=1)
    found = growth_of(PIDS, [one(HOLDER, small), one(HOLDER, small)]).holders
    assert [held.items for held in found] == [80, 2]
    assert [held.cohorts for held in found] == [(20, 40, 40)] * 2  # both are remembered by that name


def test_who_stays_is_counted_also_where_a_process_has_less_than_it_had():
    gone = HeapGrowth(remembered=(Remembered("a", (3, 0, 1)), Remembered("z", (1, 1, 1))), bytes=0)
    growth = growth_of(PIDS, [one(HOLDER), gone])
    assert growth.holders[0].cohorts == (13, 20, 21)
    assert growth.remembered == (Remembered("z", (1, 1, 1)),)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (Removal(seen=True), Removal(seen=True), Removal(seen=True)),
        (Removal(seen=True), Removal(seen=False), Removal(seen=False)),
        (
            Removal(seen=True, by="f (a.py:1)", runs=True),
            Removal(seen=True),
            Removal(seen=True, by="f (a.py:1)", runs=True),
        ),
        (Removal(seen=True, opaque=True), None, None),
    ],
)
def test_what_speaks_for_a_bound_in_one_process_speaks_for_it_in_all(first, second, both):
    holders = [replace(HOLDER, removal=removal) for removal in (first, second)]
    (found,) = growth_of(PIDS, [one(held) for held in holders]).holders
    assert found.removal == both


def test_the_heap_is_the_sum_and_only_whole_where_each_is():
    first = one(HOLDER, objects=5, garbage=Garbage(1, 10), notes=("a", "b"), extensions=(Extension("lxml", "f"),))
    second = one(HOLDER, objects=6, garbage=Garbage(2, 20), notes=("b",), extensions=(Extension("lxml", "g"),))
    found = growth_of(PIDS, [first, second])
    assert (found.objects, found.bytes, found.garbage, found.notes) == (11, 8_000, Garbage(3, 30), ("a", "b"))
    assert [extension.name for extension in found.extensions] == ["lxml"]
    in_part = growth_of(PIDS, [first, replace(second, complete=False, bytes=None)])
    assert (in_part.complete, in_part.bytes) == (False, None)


def test_threads_and_lost_references_of_one_kind_are_one():
    started = StartedThreads(function="Session.run", place="shop.py:12", type="Thread", count=3, names=("a",))
    lost = LostReferences(type="Session", items=2, bytes=20, unseen_bytes=4)
    traced = replace(started, count=4, names=("b",), allocated_at=("shop.py:9 in work",))
    found = growth_of(PIDS, [one(threads=(started,), lost=(lost,)), one(threads=(traced,), lost=(lost,))])
    (threads,) = found.threads
    assert (threads.count, threads.names, threads.allocated_at) == (7, ("a", "b"), ("shop.py:9 in work",))
    assert found.lost == (LostReferences(type="Session", items=4, bytes=40, unseen_bytes=8),)


def test_jobs_add_up_where_one_thing_counts_them_and_looks_cost_what_they_cost_together():
    told = [
        one(jobs=FinishedJobs(count, by), cost=LookCost(stall, 1.0))
        for count, by, stall in [(5, "gunicorn", 3.0), (6, "gunicorn", 9.0), (7, "uvicorn", 1.0)]
    ]
    found = growth_of(PIDS, told[:2])
    assert (found.jobs, found.cost) == (FinishedJobs(11, "gunicorn"), LookCost(9.0, 2.0))
    assert growth_of(PIDS, told[1:]).jobs is None
    assert growth_of(PIDS, [told[0], one()]).cost is None


def test_each_command_has_one_answer():
    def ask(command, *answers):
        return merged(
            command, PIDS, [answer.to_json() if isinstance(answer, Message) else answer for answer in answers]
        )

    sites = [Site(10, 1, ("a",)).to_json(), Site(90, 2, ("b",)).to_json()]
    assert ask("sites", sites, sites[:1]) == [Site(90, 2, ("b",)).to_json(), Site(20, 2, ("a",)).to_json()]
    assert ask("collect", Collected(1, 2), Collected(3, None)) == Collected(4, None).to_json()
    assert ask("trace", True, False) is False
    near, far = (MemoryLimit(LimitKind.GROUP, 100, used) for used in (90, 10))
    assert ask("limit", far, near) == near.to_json()
    taken = BaselineTaken(objects=1, bytes=2, notes=("a",))
    assert ask("baseline", taken, taken) == BaselineTaken(objects=2, bytes=4, notes=("a",)).to_json()
    assert HeapGrowth.from_json(ask("growth", one(HOLDER), one())).holders[0].workers[1] == WorkerGain(12, 0, 0)
    assert FloorReading.from_json(ask("floor", floor(1), floor(2))).heap_bytes == 3
    assert "save_heap" not in MERGED
