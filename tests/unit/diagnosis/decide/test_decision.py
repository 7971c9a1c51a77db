import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labserver.diagnosis.decide.decision import TIMING, decide
from labserver.diagnosis.decide.evidence import Evidence, Gain
from labserver.diagnosis.decide.rules import Rules
from labserver.diagnosis.fact import NoteKind, ReasonKind
from labserver.diagnosis.sentences import sentence
from labserver.diagnosis.verdict import Verdict

CYCLE = 50


def jobs_of(n):
    return [CYCLE * number for number in range(n)]


def answer(floors, kept=None, *, final=False, **rules):
    jobs = jobs_of(len(floors))
    return decide(Evidence(jobs, floors, kept, jobs[-1] if jobs else 0, final), Rules(**rules))


def noisy(slope, n=TIMING.first_floors, seed=0, deviation=1000):
    noise = np.random.default_rng(seed).normal(0, deviation, n)
    return [2e7 + CYCLE * slope * number + noise[number] for number in range(n)]


TEETH = (0, 0.5, 0.9, 0.1, 0.6, 0.2, 0.7, 1, 0.3, 0.8, 0.1, 0.5, 0.9)


@pytest.mark.parametrize(("each_job", "height"), [(1, 250_000), (2, 400_000)])
def test_small_items_that_make_a_leak_decide_where_a_sawtooth_keeps_the_bytes_unsure(each_job, height):
    """Such as timers that an event loop drops by the hundred, each with its request's context."""

    def with_teeth(slope):
        return [floor + height * tooth for floor, tooth in zip(noisy(slope, len(TEETH)), TEETH, strict=True)]

    counts = [each_job * 200 * number for number in (1, 2, 3)]
    leaky = with_teeth(800 * each_job)
    assert answer(leaky, ()).verdict is Verdict.INCONCLUSIVE
    assert answer(leaky, kept(counts, size=790.0)).verdict is Verdict.LEAK
    assert answer(leaky, kept(counts, size=790.0, bound=20_000)).verdict is Verdict.INCONCLUSIVE
    assert answer(leaky, kept([8, 16, 24], size=790.0)).verdict is Verdict.INCONCLUSIVE
    assert answer(with_teeth(0), kept([8, 16, 24], size=790.0)).verdict is not Verdict.LEAK


def kept(counts, *, size=1024.0, every=4, bound=None, path="module shop → KEPT → […] → bytes"):
    """What a holder gained at every fourth floor."""
    jobs = tuple(CYCLE * every * (number + 1) for number in range(len(counts)))
    return (Gain(path, jobs, tuple(counts), size, bound),)


def test_exactly_one_item_of_each_job_is_a_leak_at_the_first_look():
    counts = Gain("KEPT", (200, 400), (200, 400), 1024.0)
    decision = answer(noisy(1024), (counts,))
    assert decision.verdict is Verdict.LEAK
    assert 1024 in decision.interval
    assert decision.notes == ()


def test_growth_asks_for_the_holders_before_it_is_called_a_leak():
    jobs = jobs_of(TIMING.first_floors)
    decision = decide(Evidence(jobs, noisy(1024), (), 200), Rules())
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.wants_counts


@pytest.mark.parametrize("slope", [0, 30, -500])
def test_less_than_the_tolerance_is_no_leak(slope):
    assert answer(noisy(slope)).verdict is Verdict.NO_LEAK
    assert answer(noisy(slope), ()).verdict is Verdict.NO_LEAK


def test_no_leak_asks_for_the_holders_too():
    decision = decide(Evidence(jobs_of(TIMING.first_floors), noisy(0), (), 200), Rules())
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.wants_counts


def test_the_tolerance_itself_is_undecided_however_long_one_looks():
    for n in range(TIMING.first_floors, 40):
        assert answer(noisy(256, n)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("slope", "why"), [(256, "still spans"), (280, "too near")])
def test_what_is_said_of_undecided_growth_fits_the_interval_that_is_shown(slope, why):
    decision = answer(noisy(slope))
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert why in sentence(decision.reason)
    assert (256 in decision.interval) == (why == "still spans")


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_one_item_that_grows_with_every_job_is_a_leak_and_a_few_that_came_are_not(steps):
    n = 21
    one = (Gain("module shop → LOG", (200, 1000), (1, 1), 1000 * 1024.0),)
    assert answer(noisy(1024, n), one).verdict is Verdict.LEAK
    few = (Gain("module shop → TABLES", (200, 1000), (0, steps), 1024_000 / steps),)
    floors = [2e7 + 1024_000 * (number * steps // n) / steps for number in range(1, n + 1)]
    assert answer(floors, few, final=True).verdict is not Verdict.LEAK


@pytest.mark.parametrize(("tau", "leaks"), [(None, True), (600, False)])
def test_a_buffer_that_takes_room_ahead_is_a_leak_unless_it_slows_down(tau, leaks):
    verdicts = set()
    for n in range(TIMING.first_floors, 81):
        used = [600 * (250 + job if tau is None else tau * (1 - np.exp(-job / tau))) for job in jobs_of(n)]
        room = [1.125 ** np.ceil(np.log(max(size, 1)) / np.log(1.125)) for size in used]
        counts = tuple(range(CYCLE * 4, CYCLE * n, CYCLE * 4))
        log = Gain("module shop → LOG", counts or (1,), (1,) * max(len(counts), 1), (room[-1] - room[0]))
        evidence = Evidence(jobs_of(n), [2e7 + size for size in room], (log,), jobs_of(n)[-1], final=n == 80)
        verdicts.add(decide(evidence, Rules()).verdict)
    assert (Verdict.LEAK in verdicts) == leaks


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 10])
def test_nothing_is_decided_between_the_looks(n):
    decision = answer(noisy(5000, n))
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.reason.arguments["floors"] == n
    assert (decision.interval is None) == (n < 3)


def test_a_cache_that_fills_and_stays_full_is_no_leak_in_the_end():
    cache = [2e7 + 100_000 * min(number, 5) for number in range(20)]
    answers = [answer(cache[:n]).verdict for n in range(TIMING.first_floors, 20)]
    assert Verdict.LEAK not in answers
    assert Verdict.NO_LEAK in answers


def test_growth_that_slows_down_is_said():
    decision = answer([2e7 + 1e6 * (1 - np.exp(-number / 10)) for number in range(TIMING.first_floors)])
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert "slowing down" in sentence(decision.reason)


def test_a_cache_that_takes_thousands_of_jobs_is_never_a_leak():
    n, tau = 41, 3000
    entries = [round(tau * (np.exp(-250 / tau) - np.exp(-(250 + job) / tau))) for job in jobs_of(n)]
    floors = [2e7 + 2000 * count + noise for count, noise in zip(entries, noisy(0, n), strict=True)]
    for last in range(TIMING.first_floors, n + 1):
        counts = kept([entries[i] for i in range(4, last, 4)], size=2000.0)
        counts = (*(Gain(c.path, (*c.jobs, 50 * (last - 1)), (*c.counts, entries[last - 1]), 2000.0) for c in counts),)
        assert answer(floors[:last], counts, final=last == n).verdict is not Verdict.LEAK
        assert answer(floors[:last], final=last == n).verdict is not Verdict.LEAK


def test_steady_growth_without_a_holder_is_a_leak_as_soon_as_no_cache_grows_so():
    floors = noisy(2000, 41)
    answers = [answer(floors[:n]).verdict for n in range(TIMING.first_floors, 42)]
    assert answers[0] is Verdict.INCONCLUSIVE
    assert Verdict.LEAK in answers
    assert Verdict.NO_LEAK not in answers


def test_a_cache_that_declares_its_bound_is_said_to_fill():
    decision = answer(noisy(1024), (Gain("CACHE", (200, 400), (200, 400), 1024.0, 900),))
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.fills
    beyond = answer(noisy(1024), (Gain("CACHE", (200, 400), (200, 400), 1024.0, 300),))
    assert beyond.verdict is Verdict.LEAK


@pytest.mark.parametrize("begins", [200, 290, 360])
def test_a_leak_that_begins_late_is_never_no_leak(begins):
    for seed in range(25):
        noise = noisy(0, 41, seed)
        floors = [floor + 512 * max(job - begins, 0) for floor, job in zip(noise, jobs_of(41), strict=True)]
        answers = [answer(floors[:n]).verdict for n in range(TIMING.first_floors, 41)]
        assert Verdict.NO_LEAK not in answers
        assert Verdict.LEAK in answers


def test_the_rate_of_a_late_leak_is_that_since_it_began():
    floors = [floor + 1065 * max(job - 220, 0) for floor, job in zip(noisy(0, 11), jobs_of(11), strict=True)]
    counts = (Gain("KEPT", (200, 400, 500), (0, 180, 280), 1065.0),)
    decision = answer(floors, counts)
    assert decision.verdict is Verdict.LEAK
    assert decision.interval.estimate == pytest.approx(1065, rel=0.1)


@pytest.mark.parametrize("height", [30_000, 300_000, 3_000_000])
def test_an_import_that_comes_late_is_no_leak(height):
    for at in range(1, 20):
        floors = [floor + height * (number >= at) for number, floor in enumerate(noisy(0, 41))]
        answers = [answer(floors[:n]).verdict for n in range(TIMING.first_floors, 41)]
        assert Verdict.LEAK not in answers
        assert Verdict.NO_LEAK in answers


def rare_leak(n, each=15_000, per=100):
    return [floor + each * (job // per) for floor, job in zip(noisy(0, n), jobs_of(n), strict=True)]


def test_one_job_in_a_hundred_is_found_by_counting():
    counts = [CYCLE * 4 * number // 100 for number in range(1, 4)]
    assert answer(rare_leak(9), kept(counts[:2], size=15_000.0)).verdict is Verdict.INCONCLUSIVE
    decision = answer(rare_leak(13), kept(counts, size=15_000.0))
    assert decision.verdict is Verdict.LEAK
    assert "6 items of 15,000 B in 600 jobs" in sentence(decision.notes[0])
    assert any("would look the same" in sentence(note) for note in decision.notes)


def test_a_few_large_items_are_waited_for_and_then_only_noted():
    counts = (Gain("KEPT", (200, 400), (1, 2), 15_000.0),)
    assert answer(noisy(0), counts).verdict is Verdict.INCONCLUSIVE
    decision = answer(noisy(0), counts, final=True)
    assert decision.verdict is Verdict.NO_LEAK
    assert "2 items" in sentence(decision.notes[0])


@pytest.mark.parametrize(
    ("counts", "size"),
    [
        ((3, 3), 1100.0),  # too little
        ((200, 400), 100.0),  # small ones, which the bytes know better
        ((-5, -9), 15_000.0),
    ],
)
def test_a_little_growth_of_a_holder_is_no_reason_to_go_on(counts, size):
    decision = answer(noisy(0), (Gain("KEPT", (200, 400), counts, size),))
    assert decision.verdict is Verdict.NO_LEAK


@pytest.mark.parametrize("size", [300.0, 700.0, 2000.0])
def test_items_that_make_a_leak_are_not_passed_over_because_others_went_meanwhile(size):
    counts = (Gain("KEPT", (200, 400), (200, 400), size),)
    assert answer(noisy(0), counts).verdict is not Verdict.NO_LEAK


TOGETHER = [("HANDLERS", 420.0), ("REFERENCES", 140.0), ("NAMES", 140.0)]


@pytest.mark.parametrize(
    ("counts", "verdict"), [((200, 400, 600), Verdict.LEAK), ((200, 260, 290), Verdict.INCONCLUSIVE)]
)
def test_small_items_that_one_cause_leaves_with_several_holders_count_together(counts, verdict):
    gains = tuple(Gain(path, (200, 400, 600), counts, size) for path, size in TOGETHER)
    with_an_import = [floor + 200_000 * (number > 6) for number, floor in enumerate(noisy(700, len(TEETH)))]
    assert answer(with_an_import, (), tolerance=512).verdict is Verdict.INCONCLUSIVE
    assert answer(with_an_import, gains, tolerance=512).verdict is verdict


def test_few_jobs_are_enough_where_much_is_kept_of_each():
    floors = [2e7 + 200_000 * job for job in range(11)]
    one = (Gain("KEPT", (4, 8, 10), (4, 8, 10), 200_000.0),)
    decision = decide(Evidence(list(range(11)), floors, one, 10, final=True), Rules())
    assert decision.verdict is Verdict.LEAK
    assert decision.notes
    cache = (Gain("KEPT", (4, 8, 10), (4, 6, 7), 200_000.0),)
    assert decide(Evidence(list(range(11)), floors, cache, 10, final=True), Rules()).verdict is not Verdict.LEAK


def test_a_coarse_meter_is_believed_less():
    assert answer(noisy(1024, 21), noise_bytes=2**18).verdict is Verdict.INCONCLUSIVE
    assert answer(noisy(100_000, 21), noise_bytes=2**18, slowest_fill_jobs=100).verdict is Verdict.LEAK


def test_items_that_came_are_no_leak_where_memory_may_not_have_grown():
    emptied_by_a_timer = [3e7 + 2_500_000 * (number % 3) for number in range(13)]
    decision = answer(emptied_by_a_timer, kept([200, 400, 600], size=2000.0), final=True)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert 0 in decision.interval
    assert "gained 600 items in 600 jobs, but the interval covers 0" in sentence(decision.reason)


@pytest.mark.parametrize(("confidence", "leaks"), [(0.99, True), (0.9999999, False)])
def test_an_interval_that_is_asked_to_be_surer_than_the_decision_may_leave_it_open(confidence, leaks):
    floors = [2e7 + CYCLE * 700 * number + 40_000 * (-1) ** number for number in range(13)]
    decision = answer(floors, kept([200, 400, 600], size=700.0), confidence=confidence)
    assert (decision.verdict is Verdict.LEAK) == leaks
    assert (0 in decision.interval) != leaks


@st.composite
def evidence(draw):
    """Floors with a slope and teeth, which begin at some time, and what a holder gained meanwhile."""
    n, late, period = draw(st.integers(3, 25)), draw(st.integers(0, 12)), draw(st.integers(1, 9))
    slope, height, per_job = draw(st.floats(-100, 3000)), draw(st.floats(0, 3e6)), draw(st.floats(0, 2))
    jobs = jobs_of(n)
    floors = [2e7 + slope * max(job - CYCLE * late, 0) + height * (job // CYCLE % period) / period for job in jobs]
    counted = (*jobs[4:-1:4], jobs[-1])
    holder = Gain("KEPT", counted, tuple(int(per_job * job) for job in counted), draw(st.floats(100, 1e5)))
    return Evidence(jobs, floors, draw(st.sampled_from([None, (), (holder,)])), jobs[-1], draw(st.booleans()))


@settings(max_examples=1000, deadline=None)
@given(evidence=evidence(), confidence=st.floats(0.5, 0.999999), noise=st.sampled_from([2048.0, 2.0**18]))
def test_a_leak_always_has_an_interval_above_0(evidence, confidence, noise):
    decision = decide(evidence, Rules(confidence=confidence, noise_bytes=noise))
    assert decision.verdict is not Verdict.LEAK or decision.interval.low > 0


@settings(max_examples=1000, deadline=None)
@given(evidence=evidence(), tolerance=st.sampled_from([64.0, 256.0, 5000.0]), noise=st.sampled_from([2048.0, 2.0**18]))
def test_what_is_said_follows_from_the_interval_or_names_the_count(evidence, tolerance, noise):
    decision = decide(evidence, Rules(tolerance=tolerance, noise_bytes=noise))
    interval = decision.interval
    assert (decision.reason is not None) == (decision.verdict is Verdict.INCONCLUSIVE)
    if decision.verdict is Verdict.NO_LEAK:
        assert interval.high < tolerance
    if decision.verdict is Verdict.LEAK:
        counted = [note.arguments for note in decision.notes if note.kind is NoteKind.FOUND_BY_COUNTING]
        assert interval.low > tolerance or counted
        assert all(one["item_bytes"] >= tolerance or interval.high >= tolerance for one in counted)
    if decision.verdict is Verdict.INCONCLUSIVE and interval is not None:
        kind = decision.reason.kind
        assert kind is not ReasonKind.SPANS_TOLERANCE or tolerance in interval
        assert kind is not ReasonKind.NEAR_TOLERANCE or tolerance not in interval
        assert kind not in {ReasonKind.MAY_BE_NONE, ReasonKind.COUNTED_BUT_MAY_BE_NONE} or interval.low <= 0


def test_items_that_a_job_may_keep_are_no_leak_however_surely_they_are_counted():
    counts = kept([200, 400], size=3000.0)
    assert answer(noisy(3000), counts).verdict is Verdict.LEAK
    assert answer(noisy(3000), counts, tolerance=9000.0).verdict is Verdict.NO_LEAK
    # One in ten jobs keeps more than any may, though the mean job does not.
    assert answer(noisy(3000, 21), kept([20, 40, 60, 80, 100], size=30_000.0), tolerance=9000.0).verdict is Verdict.LEAK
