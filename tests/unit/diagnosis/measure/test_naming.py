"""What is said of growth whose bytes no holder explains."""

import pytest

from labserver.diagnosis.measure.naming import Grown, name_holders
from labserver.heap.chain import Chain, Link
from labserver.heap.edge import attribute
from labserver.heap.wire import BaselineTaken, FloorReading, HeapGrowth, HolderGrowth

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
