"""What each experiment of the capacity plan answers, in the figures of the run."""

from collections.abc import Mapping, Sequence

from labserver.incident.experiments.answer import Answer
from labserver.incident.experiments.capacity.forecast import Forecast
from labserver.incident.experiments.capacity.sizing import Scale
from labserver.incident.experiments.capacity.small_cases import SmallCase
from labserver.incident.experiments.capacity.trial import Trial
from labserver.incident.experiments.units import GIB, mebibytes
from labserver.text import formatted


def exhaustion(trials: Mapping[str, Trial], foretold: Forecast | None) -> Answer:
    """When each service failed, and how near the forecast for the leaky one was.

    Args:
        trials: by mode, the leaky one first; empty where this system limits none.
        foretold: of the leaky one.
    """
    if not trials or foretold is None:
        return Answer.of("None: this system does not enforce a limit of the address space.")
    leaky = next(iter(trials.values()))
    jobs = foretold.jobs
    fates = [f"{name.replace('_', ' ')} {_fate(trial)}" for name, trial in trials.items()]
    return Answer.of(
        f"Under the same limit: {'; '.join(fates)}.",
        f"At a quarter of the memory the end was foretold for job {jobs.estimate:.0f} ({jobs.low:.0f} to "
        f"{jobs.high:.0f}); {leaky.jobs} were done.",
    )


def _fate(trial: Trial) -> str:
    if trial.death is not None:
        return f"failed after {trial.jobs} jobs, {trial.death.t_s:.1f} s"
    refused = trial.count("refused")
    return f"survived with {trial.jobs} jobs done" + (f" and {refused} refused" if refused else "")


def retention(cases: Sequence[SmallCase], scales: Sequence[Scale]) -> Answer:
    """How near the formula was to the real store, and what it then says of the lowest and of the highest rate."""
    error = max(abs(case.error) for case in cases)
    ends = [
        f"{scale.rate_per_s:,.0f} jobs a second keep {scale.demand.mean / GIB:,.1f} GiB on average, and "
        f"{scale.demand.day_max / GIB:,.1f} GiB at the day's worst"
        for scale in (scales[0], scales[-1])
    ]
    return Answer.of(
        f"The mean of what the real store kept was off the formula by at most {formatted(error, '.1%')}.",
        f"By the plan, {'; '.join(ends)}.",
    )


def budget(checked: Sequence[tuple[int, float, float]], scales: Sequence[Scale]) -> Answer:
    """How near Erlang's formula was to the real store, and the budget at the lowest rate.

    Args:
        checked: places, the share refused, and the share foretold.
        scales: the plan, the lowest rate first.
    """
    off = max(abs(measured - foretold) for _, measured, foretold in checked)
    least = scales[0]
    return Answer.of(
        f"The real store refused what Erlang's formula foretells, to within {formatted(off, '.1%')} of the jobs.",
        f"At {least.rate_per_s:,.0f} jobs a second a budget of {mebibytes(least.budget_bytes, 0)} is enough, where "
        f"`ttl` keeps {mebibytes(least.demand.mean, 0)} on average.",
    )
