"""What growth without a holder is called, before it is told of."""

from labserver.amounts import number
from labserver.diagnosis.fact import Fact, FoundKind
from labserver.diagnosis.result import Finding
from labserver.report.allocation import allocation_of

_TITLES = {
    "threads": "Threads that still run",
    "native": "Native memory",
    "lost-reference": "References that were lost",
    "c-held": "Held from C code",
    "cycles": "Cycles",
    "unexplained": "Without a holder",
}


def title_of(finding: Finding) -> str:
    """The kind in words, with its bytes: `Native memory, 6,016 B of every job`."""
    name = _TITLES.get(finding.kind, finding.kind.capitalize())  # a newer version in the service may know others
    return f"{name}, {number(finding.bytes_per_job)} B of every job"


def untold_allocation_of(finding: Finding) -> tuple[str, str | None]:
    """The allocating line and whence it was called, as far as the finding's own words do not say it."""
    at, called_from = allocation_of(finding)
    told = finding.told.arguments.get("at")
    return ("" if isinstance(told, Fact) and told.kind is FoundKind.AT else at), called_from
