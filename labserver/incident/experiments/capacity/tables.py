"""The tables of the capacity plan, as Markdown."""

from collections.abc import Mapping, Sequence

from labserver.incident.experiments.capacity.formulas import QUANTILES
from labserver.incident.experiments.capacity.sizing import Scale
from labserver.incident.experiments.capacity.trial import Trial
from labserver.incident.experiments.table import Table
from labserver.incident.experiments.units import GIB, mebibytes

_STORES = {
    "byte-budget": "one process: `byte-budget`",
    "redis": "`redis` with EXPIRE, of the size of the day's largest",
    "object store": "an object store with a lifecycle rule; `byte-budget` in each instance for the unread",
}


def trials(found: Mapping[str, Trial]) -> Table:
    """What became of each service under its limit."""
    rows = [
        [
            name.replace("_", " "),
            f"{trial.jobs}",
            f"{trial.count('refused')}",
            f"{trial.death.t_s:.1f} s: {trial.death.outcome.rstrip('.')}" if trial.death else "survived",
            trial.failures,
            trial.afterwards,
        ]
        for name, trial in found.items()
    ]
    header = ["service", "jobs done", "refused", "first failure", "failed in all", "afterwards"]
    return Table.of(header, rows)


def plan(scales: Sequence[Scale]) -> Table:
    """What each rate needs."""
    rows = [
        [
            f"{scale.rate_per_s:,.0f}",
            *(_gib(scale.demand.quantiles[share]) for share in QUANTILES),
            _gib(scale.demand.day_max),
            f"{scale.instances:,}",
            mebibytes(scale.budget_bytes, 0),
            _STORES[scale.store],
        ]
        for scale in scales
    ]
    quantiles = [f"`ttl` keeps, p{share * 100:g}" for share in QUANTILES]
    header = ["jobs/s", *quantiles, "the day's largest", "instances by CPU", "`byte-budget`, each", "store"]
    return Table.of(header, rows)


def _gib(value: float) -> str:
    return f"{value / GIB:,.2f} GiB"
