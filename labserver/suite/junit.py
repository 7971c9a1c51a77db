"""A run as JUnit XML, which every CI system shows: a suite for each notebook, a case for each claim."""

from pathlib import Path
from xml.etree import ElementTree as ET

from labserver.files import write_text
from labserver.suite.finding import Finding
from labserver.suite.result import NotebookResult, RunResult, Status
from labserver.text import clean

_ERRORS = (Status.ERROR, Status.TIMEOUT, Status.DEAD_KERNEL)
_SKIPPED = (Status.NOT_RUN, Status.INTERRUPTED)


def write_junit(result: RunResult, path: Path) -> None:
    """Write the run to ``path``; what a finding or an error says is kept, control characters are not."""
    suites = [_suite(notebook, result) for notebook in result.notebooks]
    root = ET.Element("testsuites", {"name": "labserver", **_totals(suites)})
    root.set("time", f"{(result.ended - result.started).total_seconds():.3f}")
    root.extend(suites)
    ET.indent(root)
    write_text(path, '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n")


def _suite(notebook: NotebookResult, result: RunResult) -> ET.Element:
    cases = [_to_the_end(notebook), *(_claim(finding) for finding in notebook.findings)]
    suite = ET.Element("testsuite", {"name": clean(notebook.name)})
    suite.set("tests", str(len(cases)))
    for outcome, total in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(total, str(sum(case.find(outcome) is not None for case in cases)))
    suite.set("time", f"{notebook.seconds:.3f}")
    suite.set("timestamp", result.started.isoformat(timespec="seconds"))
    suite.extend(cases)
    return suite


def _to_the_end(notebook: NotebookResult) -> ET.Element:
    case = _case(notebook.name, "runs to the end")
    case.set("time", f"{notebook.seconds:.3f}")
    if notebook.status in _ERRORS:
        _outcome(case, "error", notebook.message, notebook.status.value)
    elif notebook.status in _SKIPPED:
        _outcome(case, "skipped", notebook.message)
    elif notebook.status is Status.CLAIM_FAILED and all(finding.holds for finding in notebook.findings):
        # A claim failed without a finding of its own; somebody must say so.
        _outcome(case, "failure", notebook.message, notebook.status.value)
    return case


def _claim(finding: Finding) -> ET.Element:
    case = _case(finding.notebook, finding.name)
    if not finding.holds:
        _outcome(case, "failure", finding.sentence(), Status.CLAIM_FAILED.value).text = clean(finding.text) or None
    return case


def _case(notebook: str, name: str) -> ET.Element:
    return ET.Element("testcase", {"classname": clean(notebook), "name": clean(name)})


def _outcome(case: ET.Element, tag: str, message: str, kind: str = "") -> ET.Element:
    outcome = ET.SubElement(case, tag, {"message": clean(message)})
    if kind:
        outcome.set("type", kind)
    return outcome


def _totals(suites: list[ET.Element]) -> dict[str, str]:
    names = ("tests", "failures", "errors", "skipped")
    return {name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in names}
