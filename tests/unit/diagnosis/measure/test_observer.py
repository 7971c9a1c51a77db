"""The loop of looks: what is asked of the process, when it ends, and what becomes of it when the process does."""

import itertools
from contextlib import contextmanager
from dataclasses import replace

import pytest

from labserver.diagnosis.decide.observation import Unit
from labserver.diagnosis.decide.observed_holder import Standing
from labserver.diagnosis.fact import NoteKind, ReasonKind
from labserver.diagnosis.measure import observer as module
from labserver.diagnosis.measure.check import Interrupted, run_check
from labserver.diagnosis.measure.options import CheckOptions
from labserver.diagnosis.verdict import Verdict
from labserver.errors import CannotLook, CannotRun
from labserver.heap.chain import Chain, Link
from labserver.heap.edge import ITEM, attribute
from labserver.heap.heap_growth import HeapGrowth, HolderGrowth, Removal
from labserver.heap.wire import BaselineTaken, FinishedJobs, LimitKind, LookCost, MemoryLimit

OPTIONS = CheckOptions("http://127.0.0.1:8000", observe=300.0, every=5.0)
CHAIN = Chain(
    (Link(None, "module", "module shop"), Link(attribute("KEPT"), "list", "list"), Link(ITEM, "bytes", "bytes"))
)


class Clock:
    """The time, which passes only while somebody sleeps."""

    def __init__(self):
        self.now = 1000.0
        self.at = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for due, act in list(self.at):
            if self.now >= due:
                self.at.remove((due, act))
                act()


class Service:
    """A service that finishes 20 jobs a second and keeps an item of each tenth."""

    url, pid, notes = "http://127.0.0.1:8000", 1, ()

    def __init__(self, clock, *, counts=True, leaks=0.1, fails=()):
        self.clock, self.counts, self.leaks = clock, counts, leaks
        self.cost = LookCost(3.0, 0.05)
        self.asked = []
        self.dead = False
        self.fails = set(fails)
        self.looks = []

    def alive(self):
        return not self.dead

    def death(self):
        return CannotRun("The service has ended.")

    def baseline(self, *, stall_ms=None):
        self.asked.append(("baseline", stall_ms))
        self.began, self.looks = self.clock.now, [self.clock.now]
        return BaselineTaken(jobs=self._jobs(), cost=self.cost)

    def growth(self):
        self.asked.append("growth")
        if self.asked.count("growth") in self.fails:
            raise CannotLook("it failed")
        self.looks.append(self.clock.now)
        items = [self._items(at) for at in self.looks]
        cohorts = (0, *(after - before for before, after in itertools.pairwise(items)))
        if not items[-1]:
            return HeapGrowth(bytes=0, jobs=self._jobs(), cost=self.cost)
        return HeapGrowth(
            holders=(
                HolderGrowth(
                    path="module shop → KEPT",
                    holder="module shop → KEPT",
                    holder_type="list",
                    buffer_type="bytes",
                    buffers=items[-1],
                    growth_bytes=5000 * items[-1],
                    retained_bytes=5000 * items[-1],
                    chain=CHAIN,
                    holder_at=1,
                    item_type="bytes",
                    items=items[-1],
                    item_bytes=5000 * items[-1],
                    fingerprint="kept",
                    cohorts=cohorts,
                    removal=Removal(seen=True),
                    allocated_at=("shop.py:3 in work",) if "trace" in self.asked else (),
                ),
            ),
            bytes=5000 * items[-1],
            jobs=self._jobs(),
            cost=self.cost,
        )

    def limit(self):
        return MemoryLimit(LimitKind.GROUP, 10**9, 5 * 10**8)

    def trace(self, frames):
        self.asked.append("trace" if frames else "untrace")
        return bool(frames)

    def _items(self, at):
        return int(20 * (at - self.began) * self.leaks)

    def _jobs(self):
        return FinishedJobs(int(20 * (self.clock.now - 900)), "gunicorn") if self.counts else None


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def serves(monkeypatch):
    """These services answer, one after the other; an exception in their place is raised."""

    def install(*services):
        left, asked = list(services), []

        @contextmanager
        def opened(_, *, attach_s):
            asked.append(attach_s)
            found = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(found, Exception):
                raise found
            yield found

        monkeypatch.setattr(module, "open_to_look", opened)
        return asked

    return install


def kinds(result):
    return [note.kind for note in result.noted]


def test_a_leak_is_told_with_its_holder_its_pace_its_cost_and_the_time_that_is_left(clock, serves):
    service = Service(clock)
    serves(service)
    result = run_check(OPTIONS)
    assert result.verdict is Verdict.LEAK
    assert result.interval.low < 500 < result.interval.high
    assert service.asked[0] == ("baseline", 20.0)
    assert service.asked.count("growth") == 61
    assert [one.path for one in result.holders] == ["module shop → KEPT"]
    traffic = result.traffic
    assert (traffic.jobs, traffic.counted_by, traffic.unit) == (6000, "gunicorn", Unit.JOB)
    assert (traffic.looks.count, traffic.looks.every_s) == (60, 5.0)
    assert traffic.looks.core_share == pytest.approx(62 * 0.05 / 300, rel=0.01)
    pace = traffic.of("kept")
    assert pace.standing is Standing.LEAKS
    assert pace.items_per_1000_jobs == pytest.approx(100, rel=0.02)
    assert pace.items_per_hour == pytest.approx(7200, rel=0.02)
    assert traffic.forecast.hours == pytest.approx(5e8 / (7200 * 5000), rel=0.02)
    assert traffic.forecast.low_hours < traffic.forecast.hours < traffic.forecast.high_hours
    assert {NoteKind.LOOKED, NoteKind.JOBS_COUNTED, NoteKind.FORECAST, NoteKind.OBJECTS_ALONE} <= {*kinds(result)}
    assert result.to_dict()["observed"]["forecast"]["kind"] == "control-group"


def test_a_service_that_keeps_nothing_is_no_leak_and_has_no_forecast(clock, serves):
    serves(Service(clock, leaks=0.0))
    result = run_check(OPTIONS)
    assert result.verdict is Verdict.NO_LEAK
    assert result.traffic.forecast is None
    assert result.holders == ()


def test_without_a_count_of_jobs_all_is_per_hour_and_said_so(clock, serves):
    serves(Service(clock, counts=False))
    result = run_check(OPTIONS)
    assert result.verdict is Verdict.LEAK
    assert result.unit is Unit.HOUR
    assert NoteKind.NOBODY_COUNTS in kinds(result)
    told = result.to_dict()
    assert told["bytes_per_job"] is None
    assert told["observed"]["bytes_per_hour"]["estimate"] == pytest.approx(7200 * 5000, rel=0.02)


def test_a_count_that_stands_still_is_none(clock, serves):
    service = Service(clock)
    service._jobs = lambda: FinishedJobs(7, "a server")
    serves(service)
    result = run_check(OPTIONS)
    assert result.unit is Unit.HOUR
    assert NoteKind.STANDS_STILL in kinds(result)


def test_jobs_are_counted_outside_where_somebody_says_so(clock, serves):
    counted = iter(range(0, 10**6, 50))
    serves(Service(clock))
    result = run_check(OPTIONS, jobs=lambda: float(next(counted)), jobs_by="a counter")
    assert (result.traffic.jobs, result.traffic.counted_by) == (3000, "a counter")


def test_a_counter_that_cannot_be_read_for_a_while_or_begins_anew_loses_nothing(clock, serves):
    counted = iter([10, 20, None, 40, 5, *range(10, 1000)])
    serves(Service(clock))
    result = run_check(replace(OPTIONS, observe=25.0), jobs=lambda: next(counted), jobs_by="a counter")
    assert result.jobs == 10 + 20 + 5 + 5


def test_looks_that_hold_the_process_up_for_too_long_are_given_up(clock, serves):
    service = Service(clock)
    service.cost = LookCost(45.0, 0.05)
    serves(service)
    result = run_check(OPTIONS)
    assert service.asked.count("growth") == 2
    assert result.verdict is Verdict.INCONCLUSIVE
    (undecided,) = (note for note in result.noted if note.kind is NoteKind.OBSERVED_UNDECIDED)
    assert undecided.arguments["reason"].kind is ReasonKind.STALLS
    (step,) = (note for note in result.noted if note.kind is NoteKind.NEXT)
    assert step.arguments == {"option": "--stall-ms", "value": 68}


def test_a_look_that_fails_is_left_out_and_several_in_turn_end_it(clock, serves):
    serves(Service(clock, fails=[5, 9]))
    assert run_check(OPTIONS).traffic.looks.count == 58
    failing = Service(clock, fails=range(20, 99))
    serves(failing)
    result = run_check(OPTIONS)
    assert result.traffic.looks.count == 18
    assert NoteKind.NO_LOOK in kinds(result)


def test_another_process_is_another_series_and_the_longest_is_told_of(clock, serves):
    first, second = Service(clock), Service(clock)
    clock.at.append((1000.0 + 60, lambda: setattr(first, "dead", True)))
    serves(first, CannotRun("No process listens."), second)
    result = run_check(OPTIONS)
    assert first.asked.count("growth") == 12
    assert result.traffic.restarts == 1
    assert result.traffic.seconds == pytest.approx(300 - 62, abs=5)
    assert NoteKind.RESTARTED in kinds(result)
    assert result.verdict is Verdict.LEAK


def test_a_process_that_was_named_is_not_replaced(clock, serves):
    service = Service(clock)
    clock.at.append((1000.0 + 100, lambda: setattr(service, "dead", True)))
    serves(service, CannotRun("There is no process 1."))
    result = run_check(replace(OPTIONS, target="pid:1"))
    assert clock.now < 1000 + 110
    assert NoteKind.ENDED in kinds(result)
    assert result.verdict is Verdict.LEAK


def test_a_service_without_instruments_or_without_a_process_is_one_sentence(serves):
    for why in ("It runs no instruments.", "No process listens."):
        serves(CannotRun(why))
        with pytest.raises(CannotRun, match=why):
            run_check(OPTIONS)


def test_an_agent_is_put_into_it_in_the_time_that_was_given_or_not_at_all(clock, serves):
    asked = serves(Service(clock))
    run_check(replace(OPTIONS, attach_timeout=7.0))
    run_check(replace(OPTIONS, no_attach=True))
    assert asked == [7.0, None]


def test_of_a_heap_that_is_seen_in_part_nothing_is_said(clock, serves):
    service = Service(clock)
    whole = service.growth
    service.growth = lambda: replace(whole(), complete=False, bytes=None)
    serves(service)
    result = run_check(OPTIONS)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.interval is None
    assert result.holders == ()
    assert NoteKind.IN_PART in kinds(result)


def test_what_is_interrupted_tells_what_is_known_so_far(clock, serves):
    def interrupt():
        raise KeyboardInterrupt

    serves(Service(clock))
    clock.at.append((1000.0 + 200, interrupt))
    with pytest.raises(Interrupted) as caught:
        run_check(OPTIONS)
    result = caught.value.result
    assert result.verdict is Verdict.INCONCLUSIVE
    assert [one.path for one in result.holders] == ["module shop → KEPT"]
    assert kinds(result)[-1] is NoteKind.INTERRUPTED
    assert result.traffic.forecast is None  # of what nobody has called a leak


def test_lines_come_from_a_short_window_at_the_end_where_they_are_asked_for(clock, serves):
    service = Service(clock)
    serves(service)
    assert run_check(OPTIONS).holders[0].allocated_at == ()
    assert "trace" not in service.asked
    serves(service)
    result = run_check(replace(OPTIONS, sites=True))
    assert service.asked[-4:] == ["trace", ("baseline", None), "growth", "untrace"]
    assert result.holders[0].allocated_at == ("shop.py:3 in work",)
    assert NoteKind.LINES_OBSERVED in kinds(result)
