"""Which store a rate of jobs needs, and how much memory for it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labserver.incident.experiments.capacity.formulas import (
    QUANTILES,
    Demand,
    Retention,
    demand_quantile,
    places_needed,
    simulated_demand,
)
from labserver.incident.experiments.measured import Measured
from labserver.incident.experiments.units import GIB


@dataclass(frozen=True, slots=True)
class Assumptions(Measured):
    """What the plan rests on.

    Attributes:
        kept: how long a result is kept, and of what size.
        cpu_per_job_s: CPU seconds of a job.
        cores: of an instance.
        busy: share of its CPU that an instance may use.
        instance_gib: memory of an instance that results may take.
        shared_gib: memory that a shared store in memory (Redis) may take, replicas not counted.
        read_after_s: mean seconds until a client has read its result.
        never_read: share of results that nobody fetches.
        refused: share of new jobs that byte-budget may refuse.
    """

    kept: Retention
    cpu_per_job_s: float
    cores: int = 4
    busy: float = 0.6
    instance_gib: float = 4.0
    shared_gib: float = 64.0
    read_after_s: float = 3.4
    never_read: float = 0.05
    refused: float = 0.001

    @property
    def hold_s(self) -> float:
        """Mean seconds for which byte-budget may not give a result up."""
        return (1 - self.never_read) * self.read_after_s + self.never_read * self.kept.ttl_s


@dataclass(frozen=True, slots=True)
class Scale(Measured):
    """What one rate needs.

    Attributes:
        rate_per_s: jobs per second.
        demand: bytes that the store with a TTL keeps, of all instances together.
        instances: how many the CPU asks for.
        budget_bytes: what byte-budget needs in each of them.
        store: the recommendation.
    """

    rate_per_s: float
    demand: Demand
    instances: int
    budget_bytes: float
    store: str


def plan(rates: Sequence[float], given: Assumptions, *, seed: int = 0, days: int = 200) -> list[Scale]:
    """What each rate needs, by simulation and by Erlang's loss formula."""
    rng = np.random.default_rng(seed)
    return [_scale(rate, simulated_demand(rate, given.kept, rng, days=days), given) for rate in rates]


def simulation_error(scale: Scale, kept: Retention) -> float:
    """The largest error of the simulation, as a share of the closed form's mean and quantiles."""
    foretold = {share: demand_quantile(scale.rate_per_s, kept, share) for share in QUANTILES}
    errors = [scale.demand.quantiles[share] / foretold[share] - 1 for share in QUANTILES]
    return max(map(abs, [*errors, scale.demand.mean / kept.mean_demand(scale.rate_per_s) - 1]))


def _scale(rate_per_s: float, demand: Demand, given: Assumptions) -> Scale:
    instances = math.ceil(rate_per_s * given.cpu_per_job_s / (given.cores * given.busy))
    offered = rate_per_s / instances * given.hold_s
    budget = places_needed(offered, given.refused) * given.kept.mean_bytes
    return Scale(rate_per_s, demand, instances, budget, _store(instances, demand, budget, given))


def _store(instances: int, demand: Demand, budget: float, given: Assumptions) -> str:
    """A store in the process as long as one serves all: of two, a poll may come to the one that has not the job."""
    if instances == 1 and budget <= given.instance_gib * GIB:
        return "byte-budget"
    if demand.day_max <= given.shared_gib * GIB:
        return "redis"
    return "object store"
