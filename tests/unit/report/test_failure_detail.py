import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from labserver.diagnosis.fact import FailedKind, said
from labserver.diagnosis.failure import Failure, JobsFailed
from labserver.errors import CannotRun
from labserver.load.answer import Answer
from labserver.report.failure_detail import details_of, explained
from labserver.report.github import annotations_of, summary_of
from labserver.report.html import html_of
from labserver.report.junit import junit_of
from labserver.report.terminal import render

EVIL = "<script>alert('&')</script> ````` ]]>"
FAILURE = Failure(
    "GET /work answered 500",
    Answer(500, "INTERNAL SERVER ERROR", 1234, EVIL),
    ("Traceback (most recent call last):", '  File "shop.py", line 3, in work', f"KeyError: {EVIL!r}"),
)


@pytest.fixture
def failed(nothing):
    return replace(nothing, noted=said("Every job failed: GET /work answered 500."), failure=FAILURE)


def headings(failure):
    return [detail.heading for detail in details_of(failure)]


def test_an_error_reads_from_its_sentence_to_the_traceback():
    lines = explained(JobsFailed(FailedKind.EVERY, FAILURE)).splitlines()
    assert lines[0] == "Every job failed: GET /work answered 500."
    assert lines[1] == "The first failed job was answered 500 INTERNAL SERVER ERROR and 1,234 bytes, which begin:"
    assert lines[2] == f"    {EVIL}"
    assert lines[3:5] == ["What the application printed meanwhile ends:", "    Traceback (most recent call last):"]
    assert explained(CannotRun("It is not there.")) == "It is not there."


@pytest.mark.parametrize(
    ("answer", "output", "words"),
    [
        (None, None, []),
        (None, (), []),
        (Answer(404, "NOT FOUND", 9, "not found"), (), ["404 NOT FOUND and 9 bytes, which begin:"]),
        (Answer(404, "", 0, ""), None, ["404 without a body."]),
        (Answer(500, "", 9, None), None, ["500 and 9 bytes that are no text."]),
        (Answer(500, "", 0, ""), (), ["500 without a body.", "have it log errors to its standard error."]),
    ],
)
def test_only_what_is_known_is_said(answer, output, words):
    found = headings(Failure("", answer, output))
    assert len(found) == len(words)
    assert all(heading.endswith(end) for heading, end in zip(found, words, strict=True))


def test_a_long_body_is_wrapped():
    (detail,) = details_of(Failure("", Answer(500, "", 9, "word\n" * 60)))
    assert len(detail.lines) > 1
    assert all(len(line) <= 100 for line in detail.lines)


@pytest.mark.parametrize("measured", [False, True])
def test_every_report_has_the_answer_and_the_traceback(failed, leak, measured):
    result = replace(leak, failure=FAILURE) if measured else failed
    for text in (render(result), ET.fromstring(junit_of(result))[0][0][0].text, summary_of(result)):
        assert f"    {EVIL}" in text
        assert '  File "shop.py", line 3, in work' in text
    page = html_of(result)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 2
    assert "File &#34;shop.py&#34;, line 3, in work" in page


def test_ci_is_told_why_and_not_only_that_there_is_no_answer(failed):
    case = ET.fromstring(junit_of(failed))[0][0][0]
    assert case.get("message") == "CANNOT SAY  shop:app: Every job failed: GET /work answered 500."
    (annotation,) = annotations_of(failed)
    assert annotation.endswith("Every job failed: GET /work answered 500.")


def test_an_answer_cannot_end_the_fence_of_the_summary(failed):
    text = summary_of(failed)
    opened, closed = re.findall("^(`{3,})", text, flags=re.MULTILINE)
    assert opened == closed
    assert opened not in EVIL
