"""What is said of growth whose bytes no holder explains."""

from dataclasses import replace

import pytest

from labserver.diagnosis.measure.naming import Grown, name_holders
from labserver.diagnosis.measure.traced_pass import TRACED
from labserver.heap.chain import Chain, Link
from labserver.heap.edge import ITEM, attribute
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import Extension, HeapGrowth, HolderGrowth, LostReferences, Site, StartedThreads
from labserver.heap.origin import Origin
from labserver.heap.root import Root, RootKind
from labserver.heap.wire import BaselineTaken, FloorReading

JOBS = 400
GROWTH = 8_000_000
CHAIN = Chain((Link(None, "module", "shop"), Link(attribute("DOCS"), "list", "list")))


def holder(buffers, growth_bytes):
    return HolderGrowth(
        path="module shop → DOCS → […]",
        holder="module shop → DOCS",
        holder_type="list",
        buffer_type="Element",
        buffers=buffers,
        growth_bytes=growth_bytes,
        retained_bytes=growth_bytes,
        chain=CHAIN,
        allocated_at=("shop.py:3 in parse",),
        fingerprint="0",
    )


class Process:
    """Has one holder, and gains most of its memory where no tracing sees it."""

    instrumented = True

    def __init__(self, found):
        self.notes = []
        self._found = found

    def baseline(self):
        return BaselineTaken()

    def growth(self):
        return HeapGrowth(holders=(self._found,))

    def trace(self, frames):
        return frames > 0

    def sites(self):
        return ()


def named(found):
    floor = FloorReading(traced_bytes=0, threads=1, collecting=True)
    return name_holders(Process(found), Grown(GROWTH, JOBS), drive=lambda _: floor)


def test_small_objects_that_came_one_with_each_job_may_own_native_memory():
    result = named(holder(JOBS, 30_000))
    (finding,) = result.findings
    assert finding.kind == "native"
    assert finding.bytes_per_job == pytest.approx((GROWTH - 30_000) / JOBS)
    assert "400 × Element that module shop → DOCS → […] leads to" in finding.text
    assert [found.path for found in result.holders] == ["module shop → DOCS → […]"]


def test_a_few_small_objects_are_not_suspected():
    result = named(holder(JOBS // 10, 30_000))
    (finding,) = result.findings
    assert "Element" not in finding.text
    assert not result.holders


def test_objects_that_explain_the_growth_leave_no_finding():
    result = named(holder(JOBS, GROWTH))
    assert not result.findings
    assert [found.share_of_growth for found in result.holders] == [1.0]


class Traced(Process):
    """Remembers what it was asked for; its sites are known."""

    def __init__(self, found, sites):
        super().__init__(found)
        self.asked = []
        self._sites = sites

    def trace(self, frames):
        self.asked.append("trace")
        return frames > 0

    def baseline(self):
        self.asked.append("baseline")
        return super().baseline()

    def sites(self):
        self.asked.append("sites")
        return self._sites


OWN = Frame("shop.py", 3, "parse", Origin.APPLICATION)
PARSER = Frame("json/decoder.py", 353, "raw_decode", Origin.STANDARD)
SITE = Site(4096, 2, ("shop.py:3 in parse",), (PARSER, OWN))


def test_the_traced_jobs_are_those_after_the_first_ones_and_their_sites_go_with_the_answer():
    process = Traced(holder(JOBS, GROWTH), (SITE,))
    floor = FloorReading(traced_bytes=0, threads=1, collecting=True)

    def drive(jobs):
        process.asked.append(jobs)
        return floor

    result = name_holders(process, Grown(GROWTH, JOBS), drive=drive)
    assert process.asked == ["trace", TRACED.first_jobs, "baseline", TRACED.jobs, "sites"]
    assert result.sites == (SITE,)


@pytest.mark.parametrize(
    ("items", "most", "jobs"),
    [
        (JOBS, 3000, TRACED.jobs),
        (JOBS // 100, 3000, 500),
        (JOBS // 100, 300, 300),
        (JOBS // 100, 0, TRACED.jobs),
    ],
)
def test_where_few_jobs_leave_something_more_are_traced_as_far_as_there_is_time(items, most, jobs):
    driven = []

    def drive(number):
        driven.append(number)
        return FloorReading(traced_bytes=0, threads=1, collecting=True)

    result = name_holders(Process(holder(items, GROWTH)), Grown(GROWTH, JOBS, most_traced=most), drive=drive)
    assert driven == [TRACED.first_jobs, jobs]
    assert result.notes[-1].arguments["jobs"] == jobs


def test_two_that_go_by_one_name_are_told_as_one():
    """A dictionary that gets queues, and one of its queues that was there before."""
    large, small = replace(held(1, GROWTH - 4096), items=300), held(1, 4096)
    result = name(Seen(holders=(large, small, held(2, 8192))), tolerance=256)
    (told,) = result.holders
    assert (told.growth_bytes, told.retained_bytes, told.items) == (GROWTH, GROWTH, 300)
    assert [one.path for one in result.small] == [held(2, 8192).path]


def test_the_time_that_is_left_is_enough_for_jobs_that_tracing_slows_down():
    assert TRACED.most_jobs(100, left_s=1000) == 300
    assert TRACED.most_jobs(100, left_s=30) == 100
    assert TRACED.most_jobs(100, left_s=0) == 0


def test_a_holder_and_a_finding_have_the_stack_of_their_lines():
    floor = FloorReading(traced_bytes=10_000 * JOBS, threads=1, collecting=True)
    floors = iter([FloorReading(traced_bytes=0, threads=1, collecting=True), floor])
    process = Traced(replace(holder(JOBS // 2, GROWTH // 2), stack=(OWN,)), (SITE,))
    result = name_holders(process, Grown(GROWTH, JOBS), drive=lambda _: next(floors))
    (finding,), (found,) = result.findings, result.holders
    assert (finding.kind, finding.stack) == ("unexplained", SITE.stack)
    assert found.stack == (OWN,)


@pytest.mark.parametrize(
    ("objects", "traced", "share"), [(100_000, 100_000, 1.0), (400_000, 100_000, 0.25), (20_000, 5_000, None)]
)
def test_the_share_of_pythons_allocators_is_that_of_the_traced_jobs(objects, traced, share):
    floors = iter([FloorReading(traced_bytes=size, threads=1, collecting=True) for size in (0, traced)])
    found = holder(JOBS, GROWTH)

    class Grows(Process):
        def growth(self):
            return HeapGrowth(holders=(found,), bytes=objects)

    result = name_holders(Grows(found), Grown(GROWTH, JOBS), drive=lambda _: next(floors))
    assert result.traced_share == share


@pytest.mark.parametrize(
    ("stack", "named"),
    [
        ((Frame("shop.py", 2, "parse", Origin.APPLICATION),), True),
        ((PARSER, Frame("shop.py", 9, "parse", Origin.APPLICATION)), True),
        ((Frame("shop.py", 3, "render", Origin.APPLICATION),), False),
        ((Frame("cart.py", 3, "parse", Origin.APPLICATION),), False),
        ((PARSER,), False),
        ((), False),
    ],
)
def test_what_is_made_where_traced_memory_has_no_holder_may_own_it(stack, named):
    """However few they are: some jobs open a stream, and its window is not told by it."""
    floors = iter([FloorReading(traced_bytes=size, threads=1, collecting=True) for size in (0, 20_000 * TRACED.jobs)])
    process = Traced(replace(holder(JOBS // 10, 30_000), stack=stack), (SITE,))
    grown = Grown(GROWTH, JOBS, tolerance=256)
    result = name_holders(process, grown, drive=lambda _: next(floors))
    (finding,) = result.findings
    assert finding.kind == "unexplained"
    assert ("The 40 × Element that module shop → DOCS → […] leads to" in finding.text) is named


@pytest.mark.parametrize(
    ("also", "found"),
    [
        ("module shop → DOCS", True),
        ("module shop → DOCS → […]", True),
        ("module shop → LOG", False),
        ("module shop", False),
    ],
)
def test_what_hangs_from_something_nearer_while_it_is_new_keeps_its_lines(also, found):
    """A bounded cache holds the traced jobs' items, too, and is nearer to the root than who keeps them."""

    class Cached(Process):
        def growth(self):
            traced = {"fingerprint": "1", "holder": "module shop → RECENT", "path": "module shop → RECENT → […]"}
            seen = replace(self._found, **traced, allocated_at=("shop.py:9 in recall",), also_held_by=(also,))
            return HeapGrowth(holders=(self._found, seen))

    chain = Chain((*CHAIN.links, Link(ITEM, "list", "list"), Link(ITEM, "Element", "Element")))
    process = Cached(replace(holder(JOBS, GROWTH), allocated_at=(), chain=chain, holder_at=1))
    floor = FloorReading(traced_bytes=0, threads=1, collecting=True)
    first = name_holders(process, Grown(GROWTH, JOBS), drive=lambda _: floor).holders[0]
    assert first.path == "module shop → DOCS → […]"
    assert first.allocated_at == (("shop.py:9 in recall",) if found else ())


class Seen(Process):
    """Gives what a look has seen."""

    def __init__(self, **growth):
        super().__init__(None)
        self._growth = HeapGrowth(**growth)

    def growth(self):
        return self._growth


def name(seen, *, traced=0, **grown):
    """What is named of so much growth; the traced jobs leave so many bytes each."""
    floors = iter(FloorReading(traced_bytes=size, threads=1, collecting=True) for size in (0, traced * TRACED.jobs))
    return name_holders(seen, Grown(**{"bytes": GROWTH, "jobs": JOBS} | grown), drive=lambda _: next(floors))


def at_c(kind="dict", *, growth_bytes=GROWTH, **more):
    chain = Chain((Link(None, kind, "references from C code"), Link(attribute("name"), "str", "str")))
    root = Root(RootKind.C_CODE)
    return replace(holder(JOBS, growth_bytes), chain=chain, root=root, path="references from C code → name", **more)


def held(number, growth_bytes, **more):
    return replace(holder(7, growth_bytes), fingerprint=str(number), path=f"module shop → {number}", **more)


def test_what_c_code_holds_is_the_object_itself():
    (finding,) = name(Seen(holders=(at_c(item_type="Order", items=JOBS),))).findings
    assert finding.kind == "c-held"
    assert "400 × Order that no module" in finding.text
    assert finding.told.to_dict()["type"] == "Order"


def test_an_exception_is_told_with_what_raised_it():
    item = at_c("ValueError", item_type="ValueError", items=JOBS, raised_in="Company.short (shop.py:7)")
    (finding,) = name(Seen(holders=(item,))).findings
    assert "400 × ValueError, raised in Company.short (shop.py:7), that" in finding.text


def test_what_c_code_held_at_the_first_look_and_holds_no_more_of_is_not_told():
    item, other = at_c(growth_bytes=500_000, item_type="Order", items=50), held(9, GROWTH)
    seen = Seen(holders=(other, item))
    assert not name(seen, at_first={"0": (50, 500_000)}).findings
    (finding,) = name(seen, at_first={"0": (10, 100_000)}).findings
    assert finding.bytes_per_job == 1000
    assert "40 × Order" in finding.text


LOST = LostReferences(
    type="str", items=60, bytes=60 * 1000, unseen_bytes=60 * 1000, allocated_at=("shop.py:3 in work",)
)


def test_objects_that_nothing_refers_to_are_not_native_growth():
    result = name(Seen(lost=(LOST,)), bytes=1010 * JOBS, traced=1010)
    (finding,) = result.findings
    assert (finding.kind, finding.allocated_at) == ("lost-reference", LOST.allocated_at)
    assert finding.bytes_per_job == pytest.approx(1010)
    assert "400 × str that nothing in memory refers to: an extension has probably lost count" in finding.text
    assert result.unseen_per_job == 1000


def test_lost_objects_beside_native_growth_are_told_apart():
    result = name(Seen(lost=(LOST,)), bytes=21_000 * JOBS, traced=1000)
    kinds = {one.kind: one.bytes_per_job for one in result.findings}
    assert kinds == {"lost-reference": 1000, "native": 20_000}


def test_what_nothing_refers_to_is_not_held_by_c_code():
    item = at_c("Order", item_type="Order", items=JOBS)
    (finding,) = name(Seen(holders=(item,), lost=(replace(LOST, type="Order", items=400),))).findings
    assert finding.kind == "lost-reference"
    assert finding.bytes_per_job == GROWTH / JOBS
    (finding,) = name(Seen(holders=(item,), lost=(replace(LOST, type="Order", items=9),))).findings
    assert finding.kind == "c-held"  # most of them have somebody who refers to them


def test_native_growth_names_the_extensions_and_what_was_tried():
    extensions = (Extension("lxml.etree", "parse (shop.py:7)"), Extension("_ssl", "call (shop.py:9)", 2))
    (finding,) = name(Seen(extensions=extensions)).findings
    assert finding.kind == "native"
    assert "nearest first: lxml.etree by parse (shop.py:7); _ssl by call (shop.py:9)." in finding.text
    assert "fragmentation" not in finding.text  # pages may have been counted


@pytest.mark.parametrize(("spare", "said"), [(4096, "malloc_trim(0) was called"), (None, "It is no fragmentation")])
def test_what_rules_fragmentation_out_is_said(spare, said):
    floor = FloorReading(heap_bytes=1, traced_bytes=0, threads=1, collecting=True, spare_bytes=spare)
    (finding,) = name_holders(Seen(), Grown(GROWTH, JOBS), drive=lambda _: floor).findings
    assert said in finding.text
    assert ("malloc_trim" in finding.text) == (spare is not None)


def test_a_native_part_is_shown_no_larger_than_the_whole():
    (finding,) = name(Seen(), at_most=900.0).findings
    assert finding.bytes_per_job == 900.0


def test_threads_and_what_else_may_be_theirs_are_no_more_than_the_whole():
    (finding,) = name(Seen(), threads=200, at_most=900.0).findings
    assert (finding.kind, finding.bytes_per_job) == ("threads", 900.0)
    held_by_a_thread = at_c(growth_bytes=GROWTH // 2)
    (finding,) = name(Seen(holders=(held_by_a_thread,)), threads=200, at_most=900.0).findings
    assert finding.bytes_per_job == 900.0


STARTED = StartedThreads(function="Session.run", place="shop.py:12", type="Session", count=390, names=("Thread-…",))


def of_thread(number, *links, root=None):
    chain = Chain((Link(None, "module", "threading"), *(Link(attribute("a"), kind, kind) for kind in links)))
    return held(number, 1_000_000, chain=chain, root=root or Root(RootKind.MODULE, "threading"), holder_at=len(links))


def test_threads_lead_and_what_they_hold_folds_under_them():
    local = of_thread(2, root=Root(RootKind.LOCAL, "inbox", "Thread-…", "Session.run"))
    own = held(3, 2_000_000, root=Root(RootKind.MODULE, "shop"))
    seen = Seen(holders=(own, of_thread(1, "dict", "Session", "Queue"), local), threads=(STARTED,))
    result = name(seen, threads=400, traced=1e6)
    (finding,) = result.findings
    assert (finding.kind, finding.leads) == ("threads", True)
    assert finding.text.startswith("400 threads Session.run (shop.py:12) were started by 400 jobs and still run")
    assert [one.path for one in finding.holders] == ["module shop → 1", "module shop → 2"]
    assert [one.path for one in result.holders] == ["module shop → 3"]
    assert finding.bytes_per_job * JOBS == GROWTH - 2_000_000  # with what nobody holds: their stacks, most likely


def test_holders_of_other_threads_stay_what_they_are():
    pool = of_thread(1, root=Root(RootKind.LOCAL, "batch", "flusher", "flush"))
    sessions = of_thread(2, "list", "Session", root=Root(RootKind.MODULE, "shop"))
    sessions = replace(sessions, holder_at=1)  # an own list that keeps them
    result = name(Seen(holders=(pool, sessions), threads=(STARTED,)), threads=400)
    assert [one.path for one in result.holders] == ["module shop → 1", "module shop → 2"]


def test_without_threads_left_nothing_folds():
    seen = Seen(holders=(of_thread(1, "dict", "Session"),), threads=(STARTED,))
    assert [one.path for one in name(seen, traced=1e6).holders] == ["module shop → 1"]


def test_holders_below_the_tolerance_are_set_apart():
    small = [held(number, 200 * JOBS) for number in range(3)]
    result = name(Seen(holders=(held(9, GROWTH - 600 * JOBS), *small)), tolerance=256.0)
    assert [one.path for one in result.holders] == ["module shop → 9"]
    assert [one.path for one in result.small] == ["module shop → 0", "module shop → 1", "module shop → 2"]
    assert not result.findings


def test_where_each_holder_is_small_the_largest_are_named_all_the_same():
    small = [held(number, 100 * JOBS) for number in range(9)]
    result = name(Seen(holders=tuple(small)), bytes=900 * JOBS, tolerance=256.0)
    assert [len(result.holders), len(result.small)] == [5, 4]


def test_beside_growth_without_a_holder_small_ones_stay_small():
    small = [held(number, 100 * JOBS) for number in range(3)]
    result = name(Seen(holders=tuple(small)), tolerance=256.0)
    assert not result.holders
    assert [one.kind for one in result.findings] == ["native"]
