"""What is claimed of the services under a hard limit, and of the plan."""

from collections.abc import Mapping, Sequence

from labserver.incident.experiments.capacity.forecast import Forecast
from labserver.incident.experiments.capacity.formulas import Retention
from labserver.incident.experiments.capacity.sizing import Scale, simulation_error
from labserver.incident.experiments.capacity.small_cases import SmallCase
from labserver.incident.experiments.capacity.trial import LATE_SHARE, Trial
from labserver.incident.experiments.units import GIB, MIB
from labserver.stats.interval import Interval
from labserver.suite.bound import above, at_least, at_most, between, exactly, says
from labserver.suite.declared import declares
from labserver.suite.findings import Findings

_ERROR = 0.10
_ERROR_AT_WORST = 0.25
# A job more or less is chance: what the one under way needs at most differs by picture.
_FEW_JOBS = 8
_SAME_END = 0.15
# The figures that show what is claimed.
_DEMAND, _SMALL_CASES, _REFUSALS = ([f"figures/08_{name}.svg"] for name in ("demand", "small_cases", "refusals"))


@declares
def setting(findings: Findings, trials: Mapping[str, Trial], *, room: float, cpu_s: float) -> None:
    """Record whether the services were limited, to how many bytes, and what CPU a job took."""
    findings.measured("exhaustion_measured", "yes" if trials else "no: this system does not enforce RLIMIT_AS")
    findings.measured("memory_limit_mib", room / MIB, unit="MiB")
    findings.measured("cpu_per_job_ms", cpu_s * 1e3, unit="ms")


@declares
def trials(findings: Findings, trials: Mapping[str, Trial], foretold: Forecast | None) -> None:
    """Record the claims of `four_trials`: the leaky service's forecast, then what a TTL and a budget are good for.

    Args:
        findings: where to.
        trials: by mode.
        foretold: of the leaky one; None where no service was limited: nothing is claimed.
    """
    if not trials or foretold is None:
        return
    evidence = [*(f"curves/08_{name}.csv" for name in trials), "figures/08_exhaustion.svg"]
    _record_jobs(findings, trials["leaky"], foretold, evidence)
    _record_seconds(findings, trials["leaky"], foretold)
    _record_ttl(findings, trials, evidence)
    _record_budget(findings, trials["byte_budget"], evidence)


@declares
def formulas(findings: Findings, scales: Sequence[Scale], kept: Retention) -> None:
    """Claim that the simulation agrees with the closed form at every rate."""
    error = max(simulation_error(scale, kept) for scale in scales)
    bound = at_most(0.01, "mean, p50, p99, p99.9 at every rate", percent=True)
    findings.claim("simulation_error_max", error, bound, evidence=_DEMAND)


@declares
def small_cases(findings: Findings, cases: Sequence[SmallCase], spread: Interval) -> None:
    """Claim that the real store keeps what the formula says, and spreads as Poisson arrivals do."""
    error = max(abs(case.error) for case in cases)
    bound = at_most(0.1, "in each case", percent=True)
    findings.claim("small_case_error_max", error, bound, evidence=_SMALL_CASES)
    bound = between(0.5, 2, "Poisson's spread", covers=1)
    findings.claim("small_case_dispersion", spread, bound, evidence=_SMALL_CASES)


@declares
def refusals(findings: Findings, checked: Sequence[tuple[int, float, float]]) -> None:
    """Claim that the real store refuses the share that Erlang's formula foretells."""
    error = max(abs(measured - foretold) for _, measured, foretold in checked)
    findings.claim("erlang_error", error, at_most(0.02, "as a share of the jobs"), evidence=_REFUSALS)


@declares
def plan(findings: Findings, scales: Sequence[Scale]) -> None:
    """Record what each rate keeps, and what it needs."""
    for scale in scales:
        at, day = f"at_{scale.rate_per_s:.0f}", scale.demand
        figures = {
            "mean": day.mean, "p99": day.quantiles[0.99], "p999": day.quantiles[0.999], "day_max": day.day_max
        }  # fmt: skip
        for name, value in figures.items():
            findings.measured(f"demand_{name}_gib_{at}", value / GIB, unit="GiB")
        findings.measured(f"instances_{at}", scale.instances)
        findings.measured(f"budget_mib_{at}", scale.budget_bytes / MIB, unit="MiB")
        findings.measured(f"store_{at}", scale.store)


def _record_jobs(findings: Findings, leaky: Trial, foretold: Forecast, evidence: Sequence[str]) -> None:
    died, jobs = leaky.death is not None, foretold.jobs
    error, allowed = leaky.jobs / jobs.estimate - 1, max(_ERROR, _chance(foretold))
    bound = between(-allowed, allowed, percent=True)
    findings.record(
        "leaky_jobs_to_death", leaky.jobs, holds=died, bound=says("it dies"), unit="jobs", evidence=evidence
    )
    findings.measured("leaky_jobs_forecast", jobs, unit="jobs")
    findings.record("leaky_forecast_error", error, holds=died and bound.holds(error), bound=bound)
    growing = above(0, "in the first quarter of the memory")
    findings.claim("leaky_bytes_per_job", foretold.growth, growing, unit="B/job")
    findings.measured("leaky_arrivals_per_s", leaky.rate_per_s, unit="1/s")
    findings.measured("leaky_first_failure", leaky.death.outcome if leaky.death else "none")
    findings.measured("leaky_at_exhaustion", leaky.afterwards)


def _chance(foretold: Forecast) -> float:
    """The error that a forecast from so few jobs may have."""
    jobs = foretold.jobs
    return min(max(_FEW_JOBS, jobs.high - jobs.estimate) / jobs.estimate, _ERROR_AT_WORST)


def _record_seconds(findings: Findings, leaky: Trial, foretold: Forecast) -> None:
    seconds = leaky.death.t_s if leaky.death else leaky.ended_s
    error = seconds / foretold.t_s - 1
    in_pace = leaky.late_s <= LATE_SHARE * seconds
    allowed = max(_ERROR, _chance(foretold) + LATE_SHARE)  # the lateness that is no fault
    why = "where no job was late by more than {late:.0%} of it"
    bound = between(-allowed, allowed, why, percent=True, late=LATE_SHARE)
    late = f"The latest job was {leaky.late_s:.2f} s late."
    findings.measured("leaky_seconds_to_death", seconds, unit="s")
    findings.measured("leaky_seconds_forecast", foretold.t_s, unit="s")
    findings.record("leaky_seconds_error", error, holds=bound.holds(error) or not in_pace, bound=bound, text=late)


def _record_ttl(findings: Findings, trials: Mapping[str, Trial], evidence: Sequence[str]) -> None:
    above_its_rate, below_its_rate, leaky = trials["ttl_above"], trials["ttl_below"], trials["leaky"]
    died, ratio = above_its_rate.death is not None, above_its_rate.jobs / max(leaky.jobs, 1)
    bound = says("it dies where λ · (TTL + sweep) · bytes is twice the room")
    findings.record("ttl_died_above_its_rate", died, holds=died, bound=bound, evidence=evidence)
    findings.measured("ttl_jobs_to_death", above_its_rate.jobs, unit="jobs")
    near = abs(ratio - 1) <= max(_SAME_END, 2 * _FEW_JOBS / max(leaky.jobs, 1))
    bound = says("1 to within chance: when the leaky one does")
    findings.record("ttl_death_ratio", ratio, holds=died and near, bound=bound)
    _record_survival(findings, "ttl_survived_below_its_rate", below_its_rate,
                     "it survives where that is half the room", evidence)  # fmt: skip


def _record_budget(findings: Findings, budget: Trial, evidence: Sequence[str]) -> None:
    recovered = set(budget.taken_again) == {"done"}
    _record_survival(findings, "byte_budget_survived", budget,
                     "every job is done, or refused with 503 and Retry-After", evidence)  # fmt: skip
    findings.claim("byte_budget_refused", budget.count("refused"), at_least(1), unit="jobs")
    findings.measured("byte_budget_accepted", budget.jobs, unit="jobs")
    readable = budget.fetched["done"] / max(budget.jobs, 1)
    findings.claim("byte_budget_readable", readable, exactly(1, "every accepted result, at the end"))
    bound = says("new jobs are taken after the drain")
    findings.record("byte_budget_recovered", recovered, holds=recovered, bound=bound)


def _record_survival(findings: Findings, name: str, trial: Trial, claim: str, evidence: Sequence[str]) -> None:
    text = f"Failed: {trial.failures}."
    findings.record(name, trial.survived, holds=trial.survived, bound=says(claim), text=text, evidence=evidence)
