"""What is claimed of the services under a hard limit."""

from collections.abc import Mapping, Sequence

from labserver.incident.experiments.capacity.forecast import Forecast
from labserver.incident.experiments.capacity.run import Trial
from labserver.suite.findings import Findings

_ERROR = 0.10
_ERROR_AT_WORST = 0.25
# A job more or less is chance: what the one under way needs at most differs by picture.
_FEW_JOBS = 8
_LATE = 0.05
_SAME_END = 0.15


def record_trials(findings: Findings, trials: Mapping[str, Trial], foretold: Forecast, evidence: Sequence[str]) -> None:
    """Record the claims of `four_trials`: the leaky service's forecast, then what a TTL and a budget are good for.

    Args:
        findings: where they go.
        trials: by mode.
        foretold: of the leaky one.
        evidence: files of curves and figures.
    """
    _record_jobs(findings, trials["leaky"], foretold, evidence)
    _record_seconds(findings, trials["leaky"], foretold)
    _record_ttl(findings, trials, evidence)
    _record_budget(findings, trials["byte_budget"], evidence)


def _record_jobs(findings: Findings, leaky: Trial, foretold: Forecast, evidence: Sequence[str]) -> None:
    died, jobs, growth = leaky.death is not None, foretold.jobs, foretold.growth
    error = leaky.jobs / jobs.estimate - 1
    allowed = max(_ERROR, _chance(foretold))
    findings.record("leaky_jobs_to_death", leaky.jobs, holds=died, unit="jobs", bound="it dies", evidence=evidence)
    findings.measured("leaky_jobs_forecast", jobs, unit="jobs")
    findings.record("leaky_forecast_error", error, holds=died and abs(error) <= allowed, bound=f"within ±{allowed:.0%}")
    bound = "above 0, in the first quarter of the memory"
    findings.judge("leaky_bytes_per_job", growth, above=0, unit="B/job", bound=bound)
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
    kept_pace = leaky.late_s <= _LATE * seconds
    allowed = max(_ERROR, _chance(foretold) + _LATE)  # the lateness that is no fault
    rule = f"within ±{allowed:.0%}, where no job was late by more than {_LATE:.0%} of it"
    late = f"The latest job was {leaky.late_s:.2f} s late."
    findings.measured("leaky_seconds_to_death", seconds, unit="s")
    findings.measured("leaky_seconds_forecast", foretold.t_s, unit="s")
    findings.record("leaky_seconds_error", error, holds=abs(error) <= allowed or not kept_pace, bound=rule, text=late)


def _record_ttl(findings: Findings, trials: Mapping[str, Trial], evidence: Sequence[str]) -> None:
    above, below, leaky = trials["ttl_above"], trials["ttl_below"], trials["leaky"]
    died, ratio = above.death is not None, above.jobs / max(leaky.jobs, 1)
    findings.record(
        "ttl_died_above_its_rate",
        died,
        holds=died,
        bound="it dies where λ · (TTL + sweep) · bytes is twice the room",
        evidence=evidence,
    )
    findings.measured("ttl_jobs_to_death", above.jobs, unit="jobs")
    near = abs(ratio - 1) <= max(_SAME_END, 2 * _FEW_JOBS / max(leaky.jobs, 1))
    findings.record("ttl_death_ratio", ratio, holds=died and near, bound="1 to within chance: when the leaky one does")
    findings.record(
        "ttl_survived_below_its_rate",
        below.survived,
        holds=below.survived,
        bound="it survives where that is half the room",
        text=f"Failed: {below.failures}.",
        evidence=evidence,
    )


def _record_budget(findings: Findings, budget: Trial, evidence: Sequence[str]) -> None:
    refused, accepted = budget.count("refused"), budget.jobs
    readable = budget.fetched["done"] / max(accepted, 1)
    recovered = set(budget.taken_again) == {"done"}
    findings.record(
        "byte_budget_survived",
        budget.survived,
        holds=budget.survived,
        bound="every job is done, or refused with 503 and Retry-After",
        text=f"Failed: {budget.failures}.",
        evidence=evidence,
    )
    findings.record("byte_budget_refused", refused, holds=refused > 0, unit="jobs", bound="some")
    findings.measured("byte_budget_accepted", accepted, unit="jobs")
    findings.record("byte_budget_readable", readable, holds=readable == 1, bound="every accepted result, at the end")
    findings.record("byte_budget_recovered", recovered, holds=recovered, bound="new jobs are taken after the drain")
