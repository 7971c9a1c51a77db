from dataclasses import replace

import pytest

from labserver.diagnosis.decide.rules import Rules
from labserver.diagnosis.fact import NoteKind, Reason, ReasonKind
from labserver.diagnosis.measure.heuristics import Heuristics
from labserver.diagnosis.measure.series import Series
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import Chain
from labserver.heap.heap_growth import HeapGrowth, HolderGrowth
from labserver.heap.wire import FloorReading


def test_memory_that_is_mapped_directly_is_counted_once_however_often_it_is_decided():
    rules = Rules()
    series = Series(rules, Heuristics(), countable=False)
    reading = FloorReading(heap_bytes=5_000_000, threads=1, collecting=True)
    for jobs in range(0, 1001, 50):
        series.add(jobs, replace(reading, mapped_bytes=8192 * jobs))
    intervals = [series.decide(final=True).interval for _ in range(3)]
    assert [interval.estimate for interval in intervals] == pytest.approx([8192] * 3)
    assert series.grown == 8192 * 1000


def test_mapped_memory_that_grows_is_undecided_where_the_rest_hides_whether_all_of_it_does():
    series = Series(Rules(), Heuristics(), countable=False)
    for number in range(21):
        heap = 200_000_000 * (number % 3)
        mapped = 8192 * 50 * number
        series.add(50 * number, FloorReading(heap_bytes=heap, mapped_bytes=mapped, threads=1, collecting=True))
    assert series.mapped().verdict is Verdict.LEAK
    decision = series.decide(final=True)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert 0 in decision.interval


def test_mapped_memory_whose_growth_is_not_sure_to_go_on_lets_nothing_be_called_clean():
    """An allocator of its own takes pages in steps: at the end of a short check too few of them have come."""
    series = Series(Rules(), Heuristics(), countable=False)
    for number in range(11):
        mapped = 14_000 * 25 * (number + (number % 2))
        series.add(25 * number, FloorReading(heap_bytes=5_000_000, mapped_bytes=mapped, threads=1, collecting=True))
    mapped = series.mapped(final=True)
    assert mapped.interval.low > 1024
    assert mapped.verdict is Verdict.INCONCLUSIVE
    decision = series.decide(final=True)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.reason == Reason(ReasonKind.MAPPED_GROWS)


def held(name, cohorts, size):
    items = sum(cohorts)
    return HolderGrowth(
        path=f"module shop → {name}",
        holder=f"module shop → {name}",
        holder_type="dict",
        buffer_type="bytes",
        buffers=items,
        growth_bytes=size * items,
        retained_bytes=size * items,
        chain=Chain(()),
        fingerprint=name,
        cohorts=cohorts,
    )


def beside_what_goes(native_per_job):
    """The decision on a leak of 1,000 B a job beside results of 5,000 B that live for two looks, and native memory."""
    series, looks = Series(Rules(), Heuristics()), 12
    for look in range(looks):
        jobs, alive = 100 * look, min(look, 2)
        swept = 500_000 * alive
        size = 5_000_000 + 1000 * jobs + swept + int(native_per_job * jobs)
        series.add(jobs, FloorReading(heap_bytes=size, threads=1, collecting=True))
        kept = held("KEPT", (0, *[100] * look), 1000)
        going = held("RESULTS", (0, *[0] * (look - alive), *[100] * alive), 5000)
        growth = HeapGrowth(holders=(kept, going) if look else (), bytes=1000 * jobs + swept)
        tell = series.count if look else series.begin_counting
        tell(growth)
    return series.decide(final=True)


@pytest.mark.parametrize("native_per_job", [0, 150])
def test_a_leak_beside_items_that_go_is_shown_with_the_native_memory_that_stays(native_per_job):
    decision = beside_what_goes(native_per_job)
    assert decision.verdict is Verdict.LEAK
    assert decision.interval.estimate == pytest.approx(1000 + native_per_job, abs=20)
    assert [note.arguments["path"] for note in decision.notes if note.kind is NoteKind.LETS_GO] == [
        "module shop → RESULTS"
    ]
