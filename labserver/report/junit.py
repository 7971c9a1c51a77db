"""A check's result as JUnit XML: a case for the verdict, and one for each holder and finding.

A leak is a failure, what cannot be said an error, what a baseline file accepts is skipped with its reason.
"""

from xml.etree import ElementTree as ET

from labserver.amounts import number
from labserver.diagnosis.fact import State
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.report.allocation import allocation_sentence
from labserver.report.contents import what_came
from labserver.report.growth import share
from labserver.report.headline import headline, reason
from labserver.report.holder_chain import holder_name
from labserver.report.terminal import render
from labserver.text import clean

_COUNTS = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def junit_of(result: CheckResult) -> str:
    """The result as an XML document."""
    cases = [_verdict(result)]
    cases += [
        _part(result, f"{holder_name(one)} ({one.item_type or one.buffer_type})", _about_holder(result, one), one)
        for one in result.holders
    ]
    cases += [_part(result, f"{one.kind} growth", one.text, one) for one in result.findings]
    counts = {"tests": str(len(cases))} | {
        total: str(sum(case.find(tag) is not None for case in cases)) for tag, total in _COUNTS.items()
    }
    root = ET.Element("testsuites", {"name": "labserver", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": "labserver check", **counts})
    suite.extend(cases)
    for element in (root, suite, cases[0]):
        element.set("time", f"{result.seconds:.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _verdict(result: CheckResult) -> ET.Element:
    case = ET.Element("testcase", {"classname": "labserver.check", "name": clean(result.target)})
    if result.verdict is Verdict.INCONCLUSIVE:
        outcome = _outcome(case, "error", reason(result), str(result.verdict))
    elif result.verdict is Verdict.LEAK and result.accepted:
        outcome = _outcome(case, "skipped", headline(result))
    elif result.verdict is Verdict.LEAK:
        outcome = _outcome(case, "failure", headline(result), str(result.verdict))
    else:
        outcome = ET.SubElement(case, "system-out")
    outcome.text = clean(render(result))
    return case


def _part(result: CheckResult, name: str, text: str, one: NamedHolder | Finding) -> ET.Element:
    case = ET.Element("testcase", {"classname": clean(f"labserver.check.{result.target}"), "name": clean(name)})
    if one.status is not None and one.status.state is State.ACCEPTED:
        _outcome(case, "skipped", one.status.text)
    elif result.verdict is Verdict.LEAK:
        state = "" if one.status is None else f" ({one.status.text})"
        outcome = _outcome(case, "failure", text + state, "leak")
        outcome.text = clean("\n".join(filter(None, [allocation_sentence(one), *one.allocated_at, one.hint])))
    else:
        _outcome(case, "skipped", f"the check as a whole is {result.verdict}")
    return case


def _about_holder(result: CheckResult, holder: NamedHolder) -> str:
    came = f"{what_came(holder)}, {number(holder.retained_bytes)} B"
    return f"{holder.path}: {came}, {share(result, holder)} of the growth"


def _outcome(case: ET.Element, tag: str, message: str, kind: str = "") -> ET.Element:
    return ET.SubElement(case, tag, {"message": clean(message)} | ({"type": kind} if kind else {}))
