"""What is said of growth whose bytes no holder explains."""

from dataclasses import replace

import pytest

from labserver.diagnosis.measure.naming import Grown, name_holders
from labserver.diagnosis.measure.traced_pass import TRACED
from labserver.heap.chain import Chain, Link
from labserver.heap.edge import attribute
from labserver.heap.frame import Frame
from labserver.heap.origin import Origin
from labserver.heap.wire import BaselineTaken, FloorReading, HeapGrowth, HolderGrowth, Site

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


def test_a_holder_and_a_finding_have_the_stack_of_their_lines():
    floor = FloorReading(traced_bytes=10_000 * JOBS, threads=1, collecting=True)
    floors = iter([FloorReading(traced_bytes=0, threads=1, collecting=True), floor])
    process = Traced(replace(holder(JOBS // 2, GROWTH // 2), stack=(OWN,)), (SITE,))
    result = name_holders(process, Grown(GROWTH, JOBS), drive=lambda _: next(floors))
    (finding,), (found,) = result.findings, result.holders
    assert (finding.kind, finding.stack) == ("unexplained", SITE.stack)
    assert found.stack == (OWN,)
