"""The sequence of a check, with a stand-in for the application and its load."""

import itertools
import types
from dataclasses import replace

import numpy as np
import pytest

from labserver.diagnosis.fact import said
from labserver.diagnosis.failure import Failure
from labserver.diagnosis.measure import check
from labserver.diagnosis.measure.check import Interrupted, measure
from labserver.diagnosis.measure.driver import TimeIsUp
from labserver.diagnosis.measure.heuristics import Challenging, Cycles, Heuristics, WarmUp
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.diagnosis.measure.phases import warm_up
from labserver.diagnosis.verdict import Verdict
from labserver.errors import CannotRun
from labserver.heap.chain import Chain
from labserver.heap.heap_growth import Garbage, HeapGrowth, HolderGrowth, Removal, Site
from labserver.heap.wire import BaselineTaken, Collected, FloorReading
from labserver.targets.instrumented import Regrouped

HOLDER = HolderGrowth(
    path="module shop → CACHE → ['…'] → bytes",
    holder="module shop → CACHE → dict",
    holder_type="dict",
    buffer_type="bytes",
    buffers=100,
    growth_bytes=350_000,
    retained_bytes=600_000,
    chain=Chain(()),
    allocated_at=("shop.py:3 in work",),
    fingerprint="0",
    removal=Removal(seen=True),
)


SWEPT = Removal(seen=True, by="Store.sweep (shop.py:9)", runs=True)


class StandIn:
    """The application, its process and its users; a job takes a hundredth of a second of a clock of its own."""

    concurrency = 5
    first_failure = Failure("GET /work answered 500")
    interval = None
    processes = 1
    pids = ()

    def __init__(  # noqa: PLR0913 - one argument for each thing that can be different
        self,
        kept,
        *,
        items=None,
        bound=None,
        ends_after=1e9,
        fails=(),
        collecting=True,
        meter="heap_bytes",
        threads=lambda _: 0,
        mapped=lambda _: 0,
        expires_s=None,
        complete=True,
        removal=HOLDER.removal,
        told=lambda _: {},
    ):
        self.complete, self.removal, self.told, self.jobs_per_s = complete, removal, told, 100
        self.kept, self.items, self.bound, self.ends_after, self.fails = kept, items, bound, ends_after, fails
        self.collecting, self.meter, self.threads, self.mapped = collecting, meter, threads, mapped
        self.expires_s = expires_s
        self.instrumented = meter != "private_bytes"
        self.acts_by_itself = True
        self.notes = []
        self.all_jobs = self.jobs = self.errors = 0
        self.idle_s = self.rested_s = 0.0
        self.phases, self.asked = [], []
        self.items_before = self.jobs_before = 0
        self.end = TimeIsUp
        self.cut_short = 0

    def seconds(self):
        return self.all_jobs / self.jobs_per_s + self.rested_s

    def name(self, phase):
        self.phases.append(phase)

    def begin(self, phase):
        self.jobs = self.errors = 0
        self.interval = None
        self.name(phase)

    def say(self):
        pass

    def rest(self, seconds):
        self.idle_s += seconds
        self.rested_s += seconds

    def drive(self, jobs):
        failed = jobs if self.phases[-1] in self.fails else 0
        self.all_jobs += jobs
        self.jobs += jobs
        self.errors += failed + self.cut_short * (self.all_jobs > self.ends_after)
        self.idle_s = 0
        if self.all_jobs > self.ends_after:
            raise self.end
        return jobs - failed

    def floor(self, **_):
        self.asked.append("floor")
        size = int(2e7 + (0 if self._is_gone() else self.kept(self.all_jobs)))
        traced = None if self.meter == "private_bytes" else size
        return FloorReading(
            **({"traced_bytes": traced} | {self.meter: size}),
            threads=7 + self.threads(self.all_jobs),
            collecting=self.collecting,
            mapped_bytes=self.mapped(self.all_jobs),
        )

    def baseline(self, **_):
        self.asked.append("baseline")
        self.jobs_before = self.all_jobs
        self.items_before = self._items_now()
        return BaselineTaken()

    def _is_gone(self):
        return self.expires_s is not None and self.idle_s >= self.expires_s

    def _items_now(self):
        return 0 if self.items is None or self._is_gone() else self.items(self.all_jobs)

    def _holders(self):
        if self.items is None:
            return ()
        gained = self._items_now() - self.items_before
        holder = replace(HOLDER, buffers=gained, growth_bytes=1000 * gained, bound=self.bound, removal=self.removal)
        return (replace(holder, **self.told(self._items_now())),)

    def growth(self):
        self.asked.append("growth")
        lost = 0 if self.collecting else self.all_jobs - self.jobs_before
        return HeapGrowth(holders=self._holders(), garbage=Garbage(2 * lost, 1000 * lost), complete=self.complete)

    def sites(self):
        self.asked.append("sites")
        return (Site(1, 1, ("lib.py:9 in buffer",)),)

    def collect(self):
        return Collected(12, 3)

    def trace(self, frames):
        return frames > 0


def run(application, **options):
    heuristics = Heuristics(warm_up=WarmUp(probe_pause_s=0.0))
    return measure(MeasureOptions(**options), application, application, name="shop:app", heuristics=heuristics)


def leak(jobs):
    return 1000 * jobs


def each(jobs):
    return jobs


def test_a_leak_is_measured_after_the_warm_up_and_named():
    application = StandIn(leak, items=each)
    result = run(application)
    assert result.verdict is Verdict.LEAK
    assert result.interval.estimate == pytest.approx(1000)
    challenged = f"challenging {HOLDER.path}"
    assert application.phases == ["warming up", "measuring", challenged, "looking for the holders"]
    assert 400 < result.jobs <= Challenging().little
    assert result.holders[0].share_of_growth == 1
    assert result.holders[0].allocated_at == ("shop.py:3 in work",)
    assert result.findings == ()
    assert [site.allocated_at for site in result.sites] == [("lib.py:9 in buffer",)]
    assert application.asked.index("baseline") > 0


@pytest.mark.parametrize("others", [700, 3000])
def test_items_that_take_the_place_of_others_are_a_leak_though_memory_stands_still_at_first(others):
    result = run(StandIn(lambda jobs: 1000 * max(jobs - others, 0), items=each))
    assert result.verdict is Verdict.LEAK
    assert [holder.path for holder in result.holders] == [HOLDER.path]


def test_items_that_only_took_the_place_of_others_are_none():
    result = run(StandIn(lambda _: 0, items=lambda jobs: min(jobs, 700)))
    assert result.verdict is Verdict.NO_LEAK


@pytest.mark.parametrize("removal", [HOLDER.removal, SWEPT, None])
def test_no_floor_is_looked_at_twice(removal):
    application = StandIn(leak, items=each, removal=removal)
    assert run(application).verdict is Verdict.LEAK
    asked = application.asked
    assert ("growth", "growth") not in set(itertools.pairwise(asked))


def test_the_warm_up_is_left_out():
    result = run(StandIn(lambda jobs: 5000 * min(jobs, WarmUp().jobs)))
    assert result.verdict is Verdict.NO_LEAK
    assert result.floors[0][0] == 0


def test_the_rate_is_that_of_the_warm_up_also_where_many_users_try_first():
    application = StandIn(lambda _: 0)
    application.concurrency = 200
    assert run(application).verdict is Verdict.NO_LEAK
    assert application.jobs_before == 2 * 200 + 25


class Shared(StandIn):
    """One whose jobs leave something with several holders."""

    def __init__(self, kept, **bytes_per_job):
        super().__init__(kept, items=each)
        self.bytes_per_job = bytes_per_job

    def _holders(self):
        gained = self._items_now() - self.items_before
        return tuple(
            replace(HOLDER, path=f"module shop → {name}", fingerprint=name, buffers=gained, growth_bytes=size * gained)
            for name, size in self.bytes_per_job.items()
        )


@pytest.mark.parametrize(
    ("holders", "by"),
    [
        ({"HOOKS": 140}, ", the largest part of it in module shop → HOOKS."),
        ({"INDEX": 40, "HOOKS": 60}, ", the largest part of it in module shop → HOOKS."),
        ({"HOOKS": 60}, "."),
    ],
)
def test_growth_within_the_tolerance_is_told_with_the_largest_of_those_that_explain_it(holders, by):
    result = run(Shared(lambda jobs: 150 * jobs, **holders))
    assert result.verdict is Verdict.NO_LEAK
    assert f"Memory grows by 150 B a job, within the tolerance of 256 B{by}" in result.notes


def test_growth_without_a_holder_is_a_finding_with_its_lines():
    result = run(StandIn(leak))
    assert result.verdict is Verdict.LEAK
    assert result.holders == ()
    (finding,) = result.findings
    assert finding.kind == "unexplained"
    assert finding.allocated_at == ("lib.py:9 in buffer",)
    assert finding.bytes_per_job == pytest.approx(1000)


def test_a_switched_off_collector_is_named():
    (finding,) = run(StandIn(leak, collecting=False)).findings
    assert finding.kind == "cycles"
    assert "12 objects" in finding.text


def test_the_end_of_the_time_is_inconclusive():
    result = run(StandIn(lambda _: 0, ends_after=WarmUp().jobs + 120))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert any(note.startswith("Undecided after") for note in result.notes)
    assert result.notes[-1].startswith("Next: the same with --max-")


def test_growth_that_is_undecided_has_its_holder_named():
    def filled(jobs):
        return int(3000 * (1 - np.exp(-jobs / 2000)))

    result = run(StandIn(lambda jobs: 1000 * filled(jobs), items=filled), max_jobs=1000, challenge=0)
    assert result.verdict is Verdict.INCONCLUSIVE
    gained = filled(WarmUp().jobs + 1000) - filled(WarmUp().jobs)
    assert f"Most of the growth is held by {HOLDER.path}: {gained:,} items by the last look." in result.notes
    assert "Next: the same with --challenge 25000." in result.notes
    assert [holder.path for holder in result.holders] == [HOLDER.path]


def test_a_holder_of_a_small_part_is_not_named_for_undecided_growth():
    result = run(StandIn(lambda jobs: 256 * jobs, items=lambda jobs: jobs // 50), max_jobs=1000)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.notes[-2].startswith("Undecided after")
    assert result.notes[-1].startswith("Next: the same with --")


def test_the_end_of_the_time_before_any_floor_is_inconclusive_too():
    result = run(StandIn(lambda _: 0, ends_after=30))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.interval is None


def test_a_leak_stays_one_when_no_time_is_left_for_the_lines():
    result = run(StandIn(leak, items=each, ends_after=WarmUp().jobs + 361))
    assert result.verdict is Verdict.LEAK
    assert len(result.holders) == 1
    assert any("seconds were over" in note for note in result.notes)


def test_a_bounded_cache_is_filled_and_measured_again():
    application = StandIn(lambda jobs: 1000 * min(jobs, 900), items=lambda jobs: min(jobs, 900), bound=900)
    result = run(application)
    assert result.verdict is Verdict.NO_LEAK
    assert application.asked.count("baseline") == 2
    assert "filled up to its bound of 900" in result.notes[0]


@pytest.mark.parametrize(("complete", "looks"), [(True, 3), (False, 2)])
def test_holders_are_counted_only_where_the_whole_heap_was_seen(complete, looks):
    application = StandIn(leak, items=each, bound=900, complete=complete)
    assert run(application).verdict is Verdict.LEAK
    assert application.asked.count("baseline") == looks  # one more, where the bound is known to be reached


def test_what_grows_beyond_its_bound_is_a_leak_all_the_same():
    result = run(StandIn(leak, items=each, bound=900))
    assert result.verdict is Verdict.LEAK
    assert run(StandIn(leak, items=each, bound=99)).verdict is Verdict.LEAK


@pytest.mark.parametrize("phase", range(0, 700, 100))
def test_what_is_emptied_when_it_is_full_is_no_leak(phase):
    def batch(jobs):
        return (jobs + phase) % 700

    result = run(StandIn(lambda jobs: 2000 * batch(jobs), items=batch, bound=700))
    assert result.verdict is not Verdict.LEAK


@pytest.mark.parametrize("options", [{"max_jobs": 800}, {"max_seconds": 100}, {}])
def test_a_bounded_cache_that_cannot_be_filled_is_inconclusive(options):
    application = StandIn(leak, items=each, bound=90_000)
    result = run(application, **options)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert any("not full yet" in note for note in result.notes)
    assert any("Next: the same with --max-" in note for note in result.notes)


def test_an_application_that_fails_all_jobs_is_no_clean_one():
    with pytest.raises(CannotRun, match=r"Every job failed: GET /work answered 500\."):
        run(StandIn(leak, fails=["warming up"]))
    with pytest.raises(CannotRun, match=r"Every measured job failed: GET /work answered 500\."):
        run(StandIn(leak, fails=["measuring"], items=each))
    cut_short = StandIn(leak, fails=["measuring"], ends_after=WarmUp().jobs + 120)
    cut_short.cut_short = 3
    with pytest.raises(CannotRun, match="Every measured job failed"):
        run(cut_short)


def test_without_books_the_traced_bytes_are_the_meter():
    result = run(StandIn(leak, meter="traced_bytes"))
    assert result.meter == "traced"
    assert result.verdict is Verdict.LEAK
    assert any("traced" in note for note in result.notes)


def test_threads_that_stay_are_a_finding():
    result = run(StandIn(leak, threads=each))
    assert result.verdict is Verdict.LEAK
    assert [finding.kind for finding in result.findings] == ["threads"]
    assert f"{result.jobs:,} threads were started by {result.jobs:,} jobs" in result.findings[0].text
    assert result.jobs <= Challenging().most_threads


def test_a_pool_that_starts_a_few_threads_is_none():
    result = run(StandIn(leak, threads=lambda jobs: min(jobs // 100, 5)))
    assert [finding.kind for finding in result.findings] == ["unexplained"]
    assert run(StandIn(lambda _: 0, threads=lambda jobs: min(jobs // 100, 5))).verdict is Verdict.NO_LEAK


EVICTS = Removal(seen=True, by="Cache.put (shop.py:7)")


def in_bytes(most, each):
    """What is told of a cache that counts so many bytes of each entry."""
    return lambda items: {"length": items, "bound_bytes": most, "thinks_bytes": each * items}


def test_a_cache_that_counts_its_bytes_is_filled_and_no_leak():
    application = StandIn(
        lambda jobs: 1000 * min(jobs, 3000),
        items=lambda jobs: min(jobs, 3000),
        removal=EVICTS,
        told=in_bytes(3_000_000, 1000),
    )
    result = run(application)
    assert result.verdict is Verdict.NO_LEAK
    assert f"{HOLDER.path} declares a bound of 2.9 MiB, which is about 3,000 entries." in result.notes
    assert any("was filled up to its bound of 3,000" in note for note in result.notes)


def test_a_cache_whose_account_misses_what_its_entries_hold_is_a_leak():
    result = run(StandIn(lambda jobs: 1000 * jobs, items=each, removal=EVICTS, told=in_bytes(20_000, 1)))
    assert result.verdict is Verdict.LEAK
    assert any("the account misses what the entries hold" in note for note in result.notes)


OPAQUE = Removal(opaque=True)


def bounded(entries):
    return {"kept": lambda jobs: 1000 * min(jobs, entries), "items": lambda jobs: min(jobs, entries)}


@pytest.fixture
def of_rate(monkeypatch):
    """A stand-in that runs so many jobs a second, also by the clock of the warm-up."""

    def make(rate, *arguments, **options):
        application = StandIn(*arguments, removal=OPAQUE, **options)
        application.jobs_per_s = rate
        monkeypatch.setattr(warm_up, "time", types.SimpleNamespace(monotonic=application.seconds))
        return application

    return make


@pytest.mark.parametrize("rate", [100, 20])
def test_a_cache_of_an_extensions_type_gets_the_seconds_that_it_takes_to_be_full(of_rate, rate):
    application = of_rate(rate, **bounded(1500))
    assert run(application, challenge_seconds=20).verdict is Verdict.NO_LEAK


def test_what_an_extensions_type_keeps_is_undecided_where_the_application_is_too_slow_to_fill_it(of_rate):
    application = of_rate(4, **bounded(1500))
    result = run(application)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert any(note.startswith("Next: the same with --max-seconds") for note in result.notes)


def test_what_an_extensions_type_keeps_for_ever_is_a_leak(of_rate):
    application = of_rate(40, leak, items=each)
    result = run(application)
    assert result.verdict is Verdict.LEAK
    assert any(f"{HOLDER.path} shows no bound up to" in note for note in result.notes)


def test_a_full_ring_whose_items_grow_is_a_leak():
    def told(_):
        return {"bound": 100, "length": 100, "items": 0, "buffers": 1, "growth_bytes": 1000 * application.all_jobs}

    application = StandIn(lambda jobs: 1000 * jobs, items=each, told=told)
    assert run(application).verdict is Verdict.LEAK


def test_a_cache_that_goes_on_beyond_its_bytes_is_a_leak():
    result = run(StandIn(lambda jobs: 1000 * jobs, items=each, removal=EVICTS, told=in_bytes(2_000_000, 1000)))
    assert result.verdict is Verdict.LEAK
    assert any("was filled up to its bound of 2,000" in note for note in result.notes)


def test_results_that_expire_are_waited_for():
    application = StandIn(lambda jobs: 5000 * min(jobs, 2000), items=each, expires_s=2, removal=SWEPT)
    result = run(application)
    assert result.verdict is Verdict.NO_LEAK
    assert any("went down by itself within" in note for note in result.notes)
    assert application.asked.count("baseline") == 2


def test_results_that_expire_are_no_leak_where_there_is_no_time_to_wait():
    result = run(StandIn(leak, items=each, expires_s=2, removal=SWEPT), max_seconds=16)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert any("--settle" in note for note in result.notes)


def test_with_settle_each_floor_waits():
    application = StandIn(leak, items=each, expires_s=3)
    result = run(application, settle=3)
    assert result.verdict is Verdict.NO_LEAK
    assert application.asked.count("baseline") == 1
    assert application.rested_s >= 3 * len(result.floors)


def test_a_long_settle_means_fewer_floors_with_more_jobs_between():
    result = run(StandIn(lambda _: 0, items=lambda _: 0, expires_s=30), settle=30)
    assert result.verdict is Verdict.NO_LEAK
    assert len(result.floors) <= 8
    assert result.jobs >= 350
    assert result.seconds < 300


def test_a_slow_application_that_leaks_much_leaks():
    result = run(StandIn(lambda jobs: 200_000 * jobs, items=each), max_jobs=10)
    assert result.verdict is Verdict.LEAK
    assert 10 < result.jobs <= 90
    assert any("In so few jobs" in note for note in result.notes)


def test_memory_that_is_mapped_directly_is_a_leak_of_native_memory():
    result = run(StandIn(lambda _: 0, mapped=lambda jobs: 8192 * jobs))
    assert result.verdict is Verdict.LEAK
    assert result.interval.estimate == pytest.approx(8192)


@pytest.mark.parametrize("mapped", [lambda jobs: 8192 * min(jobs, 300), lambda jobs: 2_000_000 * (jobs > 400)])
def test_memory_that_is_mapped_once_is_none(mapped):
    assert run(StandIn(lambda _: 0, mapped=mapped)).verdict is Verdict.NO_LEAK


def test_fast_means_fewer_jobs():
    application = StandIn(lambda _: 0)
    assert run(application, fast=True).verdict is Verdict.NO_LEAK
    assert application.jobs_before == WarmUp().fast_jobs == 150
    result = run(StandIn(leak, items=each), fast=True)
    assert result.verdict is Verdict.LEAK
    assert result.jobs <= 400
    assert run(StandIn(lambda _: 0), fast=True).jobs <= 250


def test_a_process_without_instruments_has_a_coarse_meter_and_no_holders():
    application = StandIn(lambda jobs: 100_000 * jobs, meter="private_bytes")
    result = run(application)
    assert result.verdict is Verdict.LEAK
    assert result.holders == ()
    assert set(application.asked) == {"floor"}
    assert run(StandIn(leak, meter="private_bytes"), max_jobs=400).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("ends_after", [30, WarmUp().jobs + 20, WarmUp().jobs + 520, WarmUp().jobs + 1020])
def test_an_interrupted_check_has_the_floors_that_were_read(ends_after):
    application = StandIn(lambda jobs: 256 * jobs + 40_000 * (jobs // 50 % 2), ends_after=ends_after)
    application.end = KeyboardInterrupt
    with pytest.raises(Interrupted) as caught:
        run(application)
    result = caught.value.result
    assert result.verdict is Verdict.INCONCLUSIVE
    assert [jobs for jobs, _ in result.floors] == list(range(0, ends_after - WarmUp().jobs, 50))
    assert all(size == 2e7 + application.kept(WarmUp().jobs + jobs) for jobs, size in result.floors)
    assert (result.interval is None) == (len(result.floors) < 3)
    assert (result.holders, result.jobs) == ((), application.jobs)


def test_an_interrupt_while_the_holders_are_looked_for_keeps_what_was_measured():
    application = StandIn(leak, items=each, ends_after=WarmUp().jobs + 401)
    application.end = KeyboardInterrupt
    with pytest.raises(Interrupted) as caught:
        run(application)
    assert caught.value.result.floors[-1][0] == 400
    assert caught.value.result.interval.estimate == pytest.approx(1000)


def test_a_phase_is_added_by_an_entry_in_the_sequence(monkeypatch):
    def take_note(state):
        state.notes += said(f"{state.decision.verdict} so far")

    monkeypatch.setattr(check, "DECIDING", (*check.DECIDING, take_note))
    assert "leak so far" in run(StandIn(leak, items=each)).notes
    cut_short = run(StandIn(leak, items=each, ends_after=WarmUp().jobs + 120))
    assert not any("so far" in note for note in cut_short.notes)


def test_what_could_still_hide_is_said():
    assert any("fewer than 1 in 86 jobs" in note for note in run(StandIn(lambda _: 0)).notes)


class Replaced(StandIn):
    """One whose processes are replaced after so many jobs each, and keep nothing of those before."""

    processes = 2
    pids = (11, 12)

    def __init__(self, kept, *, lives, times=99, **known):
        super().__init__(kept, **known)
        self.lives, self.left, self.born = lives, times, 0

    def _require_the_same(self):
        if self.left and self.all_jobs - self.born >= self.lives:
            self.left -= 1
            self.born = self.all_jobs
            raise Regrouped

    def floor(self, **known):
        self._require_the_same()
        return super().floor(**known)

    def growth(self):
        self._require_the_same()
        return super().growth()


def test_others_that_serve_are_measured_anew_from_the_warm_up_on():
    application = Replaced(lambda _: 0, lives=700, times=1)
    result = run(application)
    assert result.verdict is Verdict.NO_LEAK
    assert application.phases == ["warming up", "measuring"] * 2
    assert any("took the place of some that served, 1 time:" in note for note in result.notes)
    assert "2 processes serve together (11, 12): bytes and items are those of all of them." in result.notes


def test_a_leak_is_found_also_where_others_serve_in_the_midst_of_it():
    result = run(Replaced(leak, lives=900, times=1, items=each))
    assert result.verdict is Verdict.LEAK
    assert result.holders[0].path == HOLDER.path


@pytest.mark.parametrize("kept", [leak, lambda _: 0])
def test_processes_that_never_live_long_enough_are_undecided_and_no_error(kept):
    application = Replaced(kept, lives=600, items=each if kept is leak else None)
    result = run(application)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert application.phases.count("warming up") == 1 + Cycles().regroupings
    assert any("were replaced by others 6 times" in note for note in result.notes)
    assert result.holders == ()


def test_others_that_serve_while_the_lines_are_looked_for_leave_the_holders_named():
    class Late(Replaced):
        def trace(self, frames):
            self.lives = 0 if frames else self.lives
            return super().trace(frames)

    result = run(Late(leak, lives=1e9, items=each))
    assert result.verdict is Verdict.LEAK
    assert [holder.path for holder in result.holders] == [HOLDER.path]
    assert any("could not be looked for: other processes serve by now" in note for note in result.notes)


def test_each_of_several_processes_gets_a_warm_up_of_its_own():
    application = Replaced(lambda _: 0, lives=1e9)
    run(application)
    assert application.jobs_before >= 2 * WarmUp().jobs
