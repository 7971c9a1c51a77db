"""What is claimed of each application that was checked: its verdict, what it keeps of a job, and who holds it."""

from collections.abc import Mapping

from labserver.diagnosis.result import CheckResult
from labserver.incident.experiments.own_service.run import Application
from labserver.suite.bound import above, below, exactly, says
from labserver.suite.declared import declares
from labserver.suite.findings import Findings


@declares
def checks(findings: Findings, results: Mapping[str, CheckResult]) -> None:
    """Record what was checked, and claim that no request failed.

    Args:
        findings: where to.
        results: by the application's name.
    """
    for name, result in results.items():
        findings.measured(f"{name}_target", result.target)
        findings.measured(f"{name}_jobs", result.jobs)
        findings.measured(f"{name}_seconds", result.seconds, unit="s")
        findings.claim(f"{name}_errors", result.errors, exactly(0, "no request fails"))


@declares
def verdicts(
    findings: Findings,
    applications: Mapping[str, Application],
    results: Mapping[str, CheckResult],
    *,
    tolerance: float,
) -> None:
    """Claim that who misuses a library keeps more than the tolerance of a job, and everybody else less.

    Args:
        findings: where to.
        applications: what was checked, by name.
        results: by the same names.
        tolerance: bytes per job.
    """
    for name, application in applications.items():
        result, leaks = results[name], bool(application.holder)
        expected = "leak" if leaks else "no-leak"
        verdict = str(result.verdict)
        findings.record(f"{name}_verdict", verdict, holds=verdict == expected, bound=says(expected))
        if result.interval is not None:
            bound = (above if leaks else below)(tolerance, "the tolerance")
            floors = [f"figures/{findings.notebook[:2]}_floors_by_service.svg"]
            findings.claim(f"{name}_bytes_per_job", result.interval, bound, unit="B/job", evidence=floors)


@declares
def holders(findings: Findings, applications: Mapping[str, Application], results: Mapping[str, CheckResult]) -> None:
    """Claim that the first holder that is named is the expected one, or that none is."""
    for name, application in applications.items():
        named, expected = results[name].holders, application.holder
        path = named[0].path if named else "none"
        holds = expected in path if expected else not named
        bound = says("{holder}", holder=expected) if expected else says("none")
        findings.record(f"{name}_holder", path, holds=holds, bound=bound)
        if named:
            findings.measured(f"{name}_share", named[0].share_of_growth)
