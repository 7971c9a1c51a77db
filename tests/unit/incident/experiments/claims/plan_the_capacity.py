from collections import Counter
from dataclasses import replace

import numpy as np

from labserver.incident.experiments.capacity.forecast import Readings, forecast
from labserver.incident.experiments.capacity.formulas import Demand, Retention, demand_quantile
from labserver.incident.experiments.capacity.scheduled_clients import DONE, REFUSED, Attempt
from labserver.incident.experiments.capacity.sizing import Scale
from labserver.incident.experiments.capacity.small_cases import SmallCase
from labserver.incident.experiments.capacity.trial import Trial
from labserver.incident.service.settings import Settings
from labserver.stats.interval import Interval

ROOM, RATE, ROOM_JOBS = 100e6, 25.0, 100
MEMORY = "the job FAILED: MemoryError"
KEPT = Retention(600.0, 60.0, (190_000.0,))


def filling(per_job=ROOM / ROOM_JOBS):
    """An address space that grows with each job, and a little more while one is under way."""
    jobs = np.repeat(np.arange(ROOM_JOBS), 3)
    noise = np.random.default_rng(0).normal(0, 1e3, jobs.size)
    size = jobs * per_job + np.tile([0.0, 1e5, 0.0], ROOM_JOBS) + noise
    return Readings(jobs / RATE, jobs.astype(float), size, np.maximum.accumulate(size))


def served(jobs, *, late_s=0.0):
    return [Attempt(number / RATE, DONE, f"{number}", late_s) for number in range(jobs)]


def lives(attempts, **other):
    made = Trial(
        settings=Settings(),
        room=int(ROOM),
        rate_per_s=RATE,
        readings=filling(),
        attempts=attempts,
        ended_s=8.0,
        process_alive=True,
        health="HTTP 200",
        fetched=Counter(attempt.outcome for attempt in attempts if attempt.job_id),
        taken_again=Counter({DONE: 4}),
        cpu_s=2.0,
    )
    return replace(made, **other)


def dies(jobs, *, at_s=None, late_s=0.0, **other):
    return lives([*served(jobs, late_s=late_s), Attempt(at_s or jobs / RATE, MEMORY, "", late_s)], **other)


def scale(rate):
    quantiles = {share: demand_quantile(rate, KEPT, share) for share in (0.5, 0.99, 0.999)}
    return Scale(rate, Demand(KEPT.mean_demand(rate), quantiles, 1.1 * quantiles[0.999]), 1, 1e9, "redis")


def off(made, factor):
    return replace(made, demand=replace(made.demand, mean=factor * made.demand.mean))


SCALE = scale(100)
CASE = SmallCase(30.0, 0.4, 0.04, np.array([12.0, 13.2]), 2.0)
REFUSALS = [Attempt(5.0, REFUSED, "", 0.0)] * 30
BUDGET = lives([*served(120), *REFUSALS])
GOOD = {
    "leaky": dies(100),
    "ttl_above": dies(97),
    "ttl_below": lives(served(125)),
    "byte_budget": BUDGET,
    "limited": True,
    "scales": [SCALE],
    "cases": [CASE],
    "spread": Interval(1.1, 0.7, 1.6, 0.999),
    "checked": [(10, 0.2, 0.21)],
}


def run(given):
    names = ("leaky", "ttl_above", "ttl_below", "byte_budget")
    return {
        "trials": {name: getattr(given, name) for name in names} if given.limited else {},
        "foretold": forecast(given.leaky.readings, ROOM, RATE),
        "room": ROOM,
        "cpu_s": 0.02,
        "curves": ["curves/08_leaky.csv"],
        "kept": KEPT,
        "scales": given.scales,
        "cases": given.cases,
        "spread": given.spread,
        "checked": given.checked,
    }


JOBS, SECONDS, RATIO = "leaky_forecast_error", "leaky_seconds_error", "ttl_death_ratio"
CAUSES = {
    "the leaky service lives": ({"leaky": lives(served(400))}, {"leaky_jobs_to_death", JOBS, SECONDS, RATIO}),
    "it dies after half the jobs": ({"leaky": dies(50)}, {JOBS, SECONDS, RATIO}),
    "it dies after its jobs, but later": ({"leaky": dies(100, at_s=8.0)}, {SECONDS}),
    "its clients come late": ({"leaky": dies(100, at_s=8.0, late_s=4.0)}, set()),
    "nothing grows before it dies": (
        {"leaky": dies(100, readings=filling(0.0))},
        {"leaky_bytes_per_job", JOBS, SECONDS},
    ),
    "a time to live saves it above its rate": ({"ttl_above": lives(served(400))}, {"ttl_died_above_its_rate", RATIO}),
    "a time to live kills it sooner": ({"ttl_above": dies(60)}, {RATIO}),
    "a time to live does not save it below its rate": ({"ttl_below": dies(97)}, {"ttl_survived_below_its_rate"}),
    "it is not well afterwards": (
        {"ttl_below": lives(served(125), health="no answer")},
        {"ttl_survived_below_its_rate"},
    ),
    "the budget is taken away": ({"byte_budget": dies(97)}, {"byte_budget_survived", "byte_budget_refused"}),
    "a refusal lacks its Retry-After": (
        {"byte_budget": lives([*BUDGET.attempts, Attempt(6.0, "HTTP 503", "", 0.0)])},
        {"byte_budget_survived"},
    ),
    "the budget refuses nobody": ({"byte_budget": lives(served(150))}, {"byte_budget_refused"}),
    "an accepted result is gone": (
        {"byte_budget": replace(BUDGET, fetched=Counter({DONE: 119, "HTTP 410": 1}))},
        {"byte_budget_readable"},
    ),
    "nothing is taken after the drain": (
        {"byte_budget": replace(BUDGET, taken_again=Counter({DONE: 1, REFUSED: 3}))},
        {"byte_budget_recovered"},
    ),
    "no limit is enforced here": ({"limited": False}, set()),
    "the simulation is off by a twentieth": ({"scales": [SCALE, off(scale(1000), 1.05)]}, {"simulation_error_max"}),
    "a real service keeps more": (
        {"cases": [CASE, replace(CASE, kept=1.2 * CASE.kept)]},
        {"small_case_error_max"},
    ),
    "arrivals come at even distances": ({"spread": Interval(0.1, 0.06, 0.2, 0.999)}, {"small_case_dispersion"}),
    "there are too few arrivals to tell": ({"spread": Interval(0.9, 0.4, 2.1, 0.999)}, {"small_case_dispersion"}),
    "the real store refuses what Erlang would take": ({"checked": [(10, 0.25, 0.21)]}, {"erlang_error"}),
}
