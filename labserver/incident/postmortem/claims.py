"""What is claimed of the write-up."""

from labserver.incident.postmortem.writeup import Writeup
from labserver.suite.bound import exactly
from labserver.suite.declared import declares
from labserver.suite.findings import Findings


@declares
def complete(findings: Findings, writeup: Writeup) -> None:
    """Claim that every figure that the sections shown so far quote was found."""
    missing = writeup.missing()
    findings.claim("missing_figures", len(missing), exactly(0), text=", ".join(missing))
