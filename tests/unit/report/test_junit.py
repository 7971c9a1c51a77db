from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from labserver.diagnosis.fact import State
from labserver.diagnosis.result import Status
from labserver.diagnosis.verdict import Verdict
from labserver.report.junit import junit_of


def cases(result):
    root = ET.fromstring(junit_of(result))
    return root, {case.get("name"): case[0] if len(case) else None for case in root.iter("testcase")}


def test_a_leak_fails_the_verdict_and_each_of_its_parts(leak):
    root, found = cases(leak)
    assert [case.tag for case in found.values()] == ["failure"] * 3
    assert list(found) == ["shop:app", "shop.STORE._jobs (bytes)", "native growth"]
    allocated = "allocated at shop.py:41 in render, called from shop.py:20 in work\n"
    assert found["shop.STORE._jobs (bytes)"].text.startswith(allocated)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "3", "0")


def test_no_leak_passes(clean):
    root, found = cases(clean)
    assert found["shop:app"].tag == "system-out"
    assert root.get("failures") == root.get("errors") == root.get("skipped") == "0"


@pytest.mark.parametrize("name", ["nothing", "leak"])
def test_what_cannot_be_said_is_an_error(name, request):
    _, found = cases(replace(request.getfixturevalue(name), verdict=Verdict.INCONCLUSIVE))
    assert found.pop("shop:app").tag == "error"
    assert {case.tag for case in found.values()} <= {"skipped"}


def test_what_is_accepted_is_skipped_with_its_reason(leak):
    (holder,) = leak.holders
    accepted = replace(holder, status=Status(State.ACCEPTED, {"until": "2030-01-31", "reason": "ticket 7"}))
    root, found = cases(replace(leak, holders=(accepted,), findings=(), accepted=True))
    assert [case.tag for case in found.values()] == ["skipped", "skipped"]
    assert "ticket 7" in found["shop.STORE._jobs (bytes)"].get("message")
    assert root.get("failures") == "0"
