"""What is said of growth whose bytes no holder explains."""

import pytest

from labserver.diagnosis.measure.naming import name_holders

JOBS = 400
GROWTH = 8_000_000
CHAIN = [{"edge": None, "type": "module", "name": "shop"}, {"edge": "DOCS", "type": "list", "name": "list"}]


def holder(buffers, growth_bytes):
    return {
        "path": "module shop → DOCS → […]",
        "holder": "module shop → DOCS",
        "holder_type": "list",
        "buffer_type": "Element",
        "buffers": buffers,
        "growth_bytes": growth_bytes,
        "retained_bytes": growth_bytes,
        "chain": CHAIN,
        "bound": None,
        "allocated_at": ["shop.py:3 in parse"],
        "fingerprint": "0",
    }


class Process:
    """Has one holder, and gains most of its memory where no tracing sees it."""

    instrumented = True

    def __init__(self, found):
        self.notes = []
        self._found = found

    def ask(self, command, **_):
        growth = {"holders": [self._found], "garbage": {"objects": 0, "bytes": 0}, "notes": [], "complete": True}
        return {"growth": growth, "sites": []}.get(command, True)


def named(found):
    return name_holders(
        Process(found), growth_bytes=GROWTH, jobs=JOBS, collecting=True, drive=lambda _: {"traced_bytes": 0}
    )


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
