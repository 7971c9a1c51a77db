from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from labserver.suite.bound import says
from labserver.suite.finding import Finding
from labserver.suite.junit import write_junit
from labserver.suite.result import NotebookResult, RunResult, Status

START = datetime(2026, 1, 2, tzinfo=UTC)


def finding(name, *, holds, text=""):
    return Finding(name, "02_toy", 1.5, "B/job", None, None, says("less <than> 1"), holds, [], text)


@pytest.fixture
def suite(tmp_path):
    def write(status, *findings, message=""):
        notebook = NotebookResult("02_toy", Path("02_toy.ipynb"), status, 2.5, message, findings=findings)
        result = RunResult(tmp_path, None, START, START + timedelta(seconds=3), (notebook,))
        write_junit(result, tmp_path / "junit.xml")
        root = ET.parse(tmp_path / "junit.xml").getroot()
        assert root.attrib["tests"] == root[0].attrib["tests"]
        return root[0]

    return write


def test_a_case_for_each_finding_and_one_for_the_end(suite):
    xml = suite(Status.CLAIM_FAILED, finding("good", holds=True), finding("bad", holds=False, text="why & how"))
    counts = {name: xml.get(name) for name in ("name", "tests", "failures", "errors", "skipped")}
    assert counts == {"name": "02_toy", "tests": "3", "failures": "1", "errors": "0", "skipped": "0"}
    end, good, bad = xml
    assert (end.get("name"), len(end)) == ("runs to the end", 0)
    assert (good.get("name"), len(good)) == ("good", 0)
    failure = bad.find("failure")
    assert failure.get("message") == "bad = 1.5 B/job, claimed: less <than> 1"
    assert failure.text == "why & how"


@pytest.mark.parametrize("status", [Status.ERROR, Status.TIMEOUT, Status.DEAD_KERNEL])
def test_a_notebook_that_could_not_run_is_an_error(suite, status):
    xml = suite(status, finding("good", holds=True), message="The kernel died in cell 4")
    assert (xml.get("errors"), xml.get("failures")) == ("1", "0")
    assert xml[0].find("error").attrib == {"message": "The kernel died in cell 4", "type": status.value}


@pytest.mark.parametrize("status", [Status.NOT_RUN, Status.INTERRUPTED])
def test_a_notebook_that_was_not_run_is_skipped(suite, status):
    xml = suite(status, message="not run after SIGINT")
    assert xml.get("skipped") == "1"
    assert xml[0].find("skipped").get("message") == "not run after SIGINT"


def test_a_failed_claim_without_a_finding_is_not_lost(suite):
    xml = suite(Status.CLAIM_FAILED, message="02_toy recorded no claim.")
    assert xml.get("failures") == "1"
    assert xml[0].find("failure").get("message") == "02_toy recorded no claim."


def test_characters_that_xml_cannot_hold_are_left_out(suite):
    xml = suite(Status.ERROR, message='\x1b[31mred\x1b[0m \x00\x08\ud800\ufffe<&>" 한 😀')
    assert xml[0].find("error").get("message") == 'red <&>" 한 😀'
