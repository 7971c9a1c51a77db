"""The decision by counts and survival over simulated traffic: what must be found, and what must stay quiet."""

import math
import random
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from labserver.diagnosis.decide.evidence import Gain
from labserver.diagnosis.decide.observation import Observation, Unit
from labserver.diagnosis.decide.observed import observed
from labserver.diagnosis.decide.observed_holder import QUIET, ObservedHolder, Standing
from labserver.diagnosis.fact import NoteKind, ReasonKind
from labserver.diagnosis.verdict import Verdict
from labserver.heap.heap_growth import Removal

SEEDS = range(5)
READ = Removal(seen=True)
SWEPT = Removal(seen=True, by="sweep (shop.py:9)")
BEFORE_S, OBSERVED_S, EVERY_S = 120.0, 300.0, 3.0
ITEM_BYTES = 3000.0


def steady(_):
    return 20.0


def swinging(t):
    """A day in five minutes."""
    return 20.0 + 15.0 * math.sin(2 * math.pi * t / 240.0)


def bursty(t):
    return 120.0 if t % 60 < 5 else 10.0


def idle_minutes(t):
    return 0.0 if 200 < t < 290 else 20.0


RATES = [steady, swinging, bursty, idle_minutes]


@cache
def arrivals(rate, seed, *, seconds=OBSERVED_S, most=120.0):
    """The instants at which jobs come, by thinning."""
    chance, now, found = random.Random(seed), 0.0, []
    while (now := now + chance.expovariate(most)) < BEFORE_S + seconds:
        if chance.random() * most < rate(now):
            found.append(now)
    return tuple(found)


@dataclass
class Items:
    """Of one holder: when each came and went, and what is known of the code around it."""

    lives: list[tuple[float, float]]
    removal: Removal | None = READ
    bound: int | None = None
    item_bytes: float = ITEM_BYTES


def gain_of(items, looks):
    """What the looks, the baseline first, tell of a holder's items; named from the first one on that sees growth."""
    lives = np.array(items.lives).reshape(-1, 2)
    first = np.array([bisect_left(looks, birth) for birth in lives[:, 0]], dtype=int)
    alive = [(lives[:, 0] <= at) & (lives[:, 1] > at) for at in looks]
    net = [int(one.sum() - alive[0].sum()) for one in alive]
    named, told = False, []
    for number in range(2, len(looks)):
        named = named or net[number] > 0
        cohorts = np.bincount(first[alive[number]], minlength=number + 1)
        told.append(tuple(cohorts.tolist()) if named else ())
    counts = tuple(net[number] - net[1] for number in range(2, len(looks)))
    length = int(alive[-1].sum())
    jobs = tuple(range(1, len(counts) + 1))
    return Gain("shop.HELD", jobs, counts, items.item_bytes, items.bound, tuple(told), items.removal, length)


def observation_of(holders, jobs, *, seconds=OBSERVED_S, every=EVERY_S, counted=True):
    """The looks at some holders from a baseline on, with a first one at once after it."""
    looks = [BEFORE_S, BEFORE_S + 0.2]
    looks += list(np.arange(BEFORE_S + every, BEFORE_S + seconds + 1e-9, every))
    gains = [gain_of(one, looks) for one in holders]
    at = np.array(looks[2:])
    done = np.searchsorted(jobs, at) - np.searchsorted(jobs, looks[1])
    chance = np.random.default_rng(0)
    sizes = sum((np.array(gain.counts) * gain.item_bytes for gain in gains), chance.normal(0, 2000.0, at.size))
    return Observation(
        tuple((at - looks[1]).tolist()),
        tuple(done.tolist()) if counted else None,
        tuple(sizes.tolist()),
        tuple(gain for gain in gains if gain.counts[-1] > 0),
    )


def judged(observation):
    return observed(observation, tolerance=256.0, confidence=0.99, noise_bytes=2048.0)


def seen(holders, jobs, **how):
    return judged(observation_of(holders, jobs, **how))


def kept_of(jobs, share, seed, begin=0.0):
    chance = random.Random(seed)
    return [(at, math.inf) for at in jobs if at >= begin and chance.random() < share]


def one_holder(found) -> ObservedHolder:
    (holder,) = found.holders
    return holder


# What must be found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("share", [1.0, 0.1, 0.02])
def test_a_leak_of_some_requests_is_found_under_any_traffic(share, rate, seed):
    jobs = arrivals(rate, seed)
    found = seen([Items(kept_of(jobs, share, seed))], jobs)
    assert one_holder(found).standing is Standing.LEAKS
    assert found.decision.verdict is Verdict.LEAK
    assert found.decision.interval.low < share * ITEM_BYTES < found.decision.interval.high
    assert found.decision.interval.low > 0
    assert found.unit is Unit.JOB


def test_what_is_within_the_tolerance_is_found_by_its_count_which_is_said():
    jobs = arrivals(steady, 1)
    found = seen([Items(kept_of(jobs, 0.02, 1))], jobs)
    assert found.decision.interval.high < 256
    (note,) = (one for one in found.decision.notes if one.kind is NoteKind.FOUND_BY_COUNTING)
    assert note.arguments["path"] == "shop.HELD"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rate", RATES)
def test_a_leak_beside_caches_and_requests_under_way_is_found_and_they_are_not(rate, seed):
    jobs = arrivals(rate, seed)
    holders = [
        Items(kept_of(jobs, 0.1, seed)),
        Items(lru_of(jobs, 200, 3000, seed), SWEPT),
        Items(living_for(jobs, 20.0), SWEPT),
        Items(under_way(jobs, 0.8, seed)),
    ]
    found = seen(holders, jobs)
    assert found.decision.verdict is Verdict.LEAK
    assert [one.gain.removal for one in found.leaking] == [READ]
    assert found.decision.interval.low < 0.1 * ITEM_BYTES < found.decision.interval.high


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_that_begins_while_it_is_observed_is_found(seed):
    jobs = arrivals(steady, seed)
    found = seen([Items(kept_of(jobs, 0.2, seed, begin=BEFORE_S + 100))], jobs)
    assert found.decision.verdict is Verdict.LEAK
    assert OBSERVED_S - 110 < one_holder(found).oldest_s < OBSERVED_S - 95


@pytest.mark.parametrize("seed", SEEDS)
def test_without_a_count_of_jobs_a_leak_is_found_per_hour(seed):
    jobs = arrivals(steady, seed)
    found = seen([Items(kept_of(jobs, 0.1, seed))], jobs, counted=False)
    assert found.decision.verdict is Verdict.LEAK
    assert found.unit is Unit.HOUR
    assert found.decision.interval.low < 2 * 3600 * ITEM_BYTES < found.decision.interval.high


@pytest.mark.parametrize("seed", SEEDS)
def test_what_some_requests_leave_in_a_container_of_requests_under_way_is_found(seed):
    jobs = arrivals(steady, seed)
    chance = random.Random(seed)
    lives = [(at, math.inf if chance.random() < 0.1 else at + chance.expovariate(2.0)) for at in jobs]
    assert seen([Items(lives)], jobs).decision.verdict is Verdict.LEAK


# What must stay quiet


def lru_of(jobs, most, keys, seed):
    chance, held, lives = random.Random(seed), OrderedDict(), []
    for at in jobs:
        key = chance.randrange(keys)
        if key in held:
            held.move_to_end(key)
            continue
        if len(held) == most:
            lives.append((held.popitem(last=False)[1], at))
        held[key] = at
    return lives + [(at, math.inf) for at in held.values()]


def living_for(jobs, seconds):
    return [(at, at + seconds) for at in jobs]


def under_way(jobs, seconds, seed):
    chance = random.Random(seed)
    return [(at, at + chance.expovariate(1 / seconds)) for at in jobs]


def emptied_every(jobs, seconds):
    return [(at, (at // seconds + 1) * seconds) for at in jobs]


def emptied_at(jobs, most):
    lives = []
    for begin in range(0, len(jobs), most):
        part = jobs[begin : begin + most]
        end = part[-1] if len(part) == most else math.inf
        lives += [(at, end) for at in part]
    return lives


def sessions_of(jobs, seconds, seed):
    """Touched again and again by a user, and gone so long after the last time."""
    chance = random.Random(seed)
    return [(at, at + seconds + chance.expovariate(1 / 20)) for at in jobs if chance.random() < 0.2]


def evicted_at_random(jobs, most, seed):
    chance, held, lives = random.Random(seed), [], []
    for at in jobs:
        if len(held) == most:
            lives.append((held.pop(chance.randrange(most)), at))
        held.append(at)
    return lives + [(at, math.inf) for at in held]


def first_of_keys(jobs, keys, seed):
    chance, known, lives = random.Random(seed), set(), []
    for at in jobs:
        key = chance.randrange(keys)
        if key not in known:
            known.add(key)
            lives.append((at, math.inf))
    return lives


QUIET_MODES = {
    "an LRU cache": lambda jobs, seed: lru_of(jobs, 200, 3000, seed),
    "a large LRU cache": lambda jobs, seed: lru_of(jobs, 2000, 30_000, seed),
    "results that live for 15 s": lambda jobs, _: living_for(jobs, 15.0),
    "results that live for a minute": lambda jobs, _: living_for(jobs, 60.0),
    "results that live for nearly as long as anybody looks": lambda jobs, _: living_for(jobs, 240.0),
    "requests under way": lambda jobs, seed: under_way(jobs, 0.3, seed),
    "requests that take long": lambda jobs, seed: under_way(jobs, 12.0, seed),
    "a buffer that is emptied every 5 s": lambda jobs, _: emptied_every(jobs, 5.0),
    "a buffer that is emptied every minute": lambda jobs, _: emptied_every(jobs, 60.0),
    "a buffer that is emptied when it is full": lambda jobs, _: emptied_at(jobs, 700),
    "sessions": lambda jobs, seed: sessions_of(jobs, 40.0, seed),
    "a cache that evicts at random": lambda jobs, seed: evicted_at_random(jobs, 300, seed),
    "a map of 400 products": lambda jobs, seed: first_of_keys(jobs, 400, seed),
    "a map of 3,000 products": lambda jobs, seed: first_of_keys(jobs, 3000, seed),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("mode", QUIET_MODES)
def test_what_lets_go_or_fills_is_no_leak_whatever_the_code_says(mode, rate):
    for seed in SEEDS[:3]:
        jobs = arrivals(rate, seed)
        observation = observation_of([Items(QUIET_MODES[mode](jobs, seed))], jobs)
        for removal in (READ, SWEPT, None):
            gains = tuple(replace(gain, removal=removal) for gain in observation.gains)
            found = judged(replace(observation, gains=gains))
            assert found.decision.verdict is not Verdict.LEAK, (seed, found.holders)


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("mode", ["results that live for 15 s", "requests under way", "an LRU cache", "sessions"])
def test_what_was_in_balance_before_anybody_looked_is_quiet(mode, counted):
    verdicts = []
    for seed in SEEDS:
        jobs = arrivals(steady, seed)
        found = seen([Items(QUIET_MODES[mode](jobs, seed), SWEPT, item_bytes=500.0)], jobs, counted=counted)
        assert all(one.standing in QUIET for one in found.holders)
        verdicts.append(found.decision.verdict)
    assert Verdict.LEAK not in verdicts
    assert Verdict.NO_LEAK in verdicts if counted else True


@pytest.mark.parametrize("mode", QUIET_MODES)
def test_nothing_of_it_is_a_leak_where_nobody_counts_jobs(mode):
    for seed in SEEDS[:2]:
        jobs = arrivals(swinging, seed)
        found = seen([Items(QUIET_MODES[mode](jobs, seed))], jobs, counted=False)
        assert found.decision.verdict is not Verdict.LEAK


def test_sessions_of_half_an_hour_may_go_by_the_code_around_them():
    jobs = arrivals(steady, 3)
    found = seen([Items([(at, at + 1800) for at in jobs], SWEPT)], jobs)
    assert one_holder(found).standing is Standing.MAY_EVICT
    assert found.decision.reason.kind is ReasonKind.MAY_EVICT
    assert found.decision.reason.arguments["by"] == SWEPT.by


def test_what_goes_of_the_time_before_shows_that_it_is_let_go_of():
    """Sessions of half an hour in a service that has run for long: as many of the old go as new ones come."""
    jobs = arrivals(steady, 4)
    old = [(-1.0, BEFORE_S + 0.05 * at) for at in range(36_000)]
    found = seen([Items(old + [(at, at + 1800) for at in jobs if at > BEFORE_S], READ)], jobs)
    assert found.decision.verdict is not Verdict.LEAK
    assert all(one.standing in QUIET for one in found.holders)


def test_what_fills_up_to_a_declared_bound_is_no_leak_before_it_is_full():
    jobs = arrivals(steady, 5)
    found = seen([Items(kept_of(jobs, 0.5, 5), READ, bound=100_000)], jobs)
    assert found.decision.verdict is Verdict.INCONCLUSIVE
    assert found.decision.reason.kind is ReasonKind.NOT_FULL
    beyond = seen([Items(kept_of(jobs, 0.5, 5), READ, bound=100)], jobs)
    assert beyond.decision.verdict is Verdict.LEAK


@pytest.mark.parametrize(
    ("removal", "seconds", "standing"),
    [
        (SWEPT, 1200.0, Standing.MAY_EVICT),
        (SWEPT, 4000.0, Standing.LEAKS),
        (replace(SWEPT, runs=True), 4000.0, Standing.MAY_EVICT),
        (Removal(seen=True, opaque=True), 1200.0, Standing.MAY_EVICT),
        (Removal(seen=False), 90.0, Standing.UNSEEN),
        (Removal(seen=False), 1200.0, Standing.LEAKS),
        (None, 1200.0, Standing.LEAKS),
    ],
)
def test_what_the_code_can_take_out_is_a_leak_once_it_would_have(removal, seconds, standing):
    jobs = arrivals(lambda _: 2.0, 6, seconds=seconds, most=2.0)
    found = seen([Items(kept_of(jobs, 0.8, 6), removal)], jobs, seconds=seconds, every=seconds / 80)
    assert one_holder(found).standing is standing
    assert (found.decision.verdict is Verdict.LEAK) == (standing is Standing.LEAKS)
    if standing is Standing.LEAKS:
        assert [one.kind for one in found.decision.notes] == [NoteKind.LASTED]


def test_an_idle_service_says_nothing():
    found = seen([], [])
    assert found.decision.verdict is Verdict.INCONCLUSIVE
    assert found.decision.reason.kind is ReasonKind.FEW_JOBS


def test_so_few_looks_say_nothing():
    jobs = arrivals(steady, 7)
    found = seen([Items(kept_of(jobs, 1.0, 7))], jobs, seconds=12.0)
    assert found.decision.reason.kind is ReasonKind.FEW_LOOKS


def test_a_single_burst_of_entries_is_no_trend():
    jobs = arrivals(steady, 8)
    at_once = [(BEFORE_S + 150 + at / 1000, math.inf) for at in range(500)]
    found = seen([Items(at_once)], jobs)
    assert found.decision.verdict is not Verdict.LEAK


def test_a_few_large_items_that_stay_are_not_called_none():
    jobs = arrivals(steady, 11)
    found = seen([Items(kept_of(jobs, 0.0025, 11), item_bytes=15_000.0)], jobs)
    assert one_holder(found).standing is Standing.UNSURE
    assert found.decision.interval.high < 256
    assert found.decision.verdict is Verdict.INCONCLUSIVE
    assert found.decision.reason.kind is ReasonKind.FEW_LARGE_ITEMS
    small = seen([Items(kept_of(jobs, 0.0025, 11), item_bytes=100.0)], jobs)
    assert small.decision.verdict is Verdict.NO_LEAK


def test_a_quiet_service_is_no_leak():
    jobs = arrivals(swinging, 9)
    found = seen([Items(under_way(jobs, 0.2, 9), item_bytes=2000.0)], jobs)
    assert found.decision.verdict is Verdict.NO_LEAK
    assert found.decision.interval.high < 256
