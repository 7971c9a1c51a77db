from dataclasses import replace

import pytest

from labserver.diagnosis.fact import Fact, FoundKind, said
from labserver.diagnosis.result import Finding
from labserver.report.finding_title import title_of, untold_allocation_of
from labserver.report.html import html_of
from labserver.report.terminal import render

LINES = ("shop.py:6 in read", "shop.py:20 in work")
AT = Fact(FoundKind.AT, {"line": LINES[0]})
LOST = Fact(FoundKind.LOST_REFERENCE, {"per_job": 3072.0, "items": 400, "type": "str", "raised": "", "at": AT})


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("threads", "Threads that still run, 9,017 B of every job"),
        ("lost-reference", "References that were lost, 9,017 B of every job"),
        ("fibres", "Fibres, 9,017 B of every job"),
    ],
)
def test_a_finding_is_called_by_what_it_is(kind, title):
    assert title_of(Finding(kind, 9017.0, (), *said("Some words."))) == title


def test_a_line_that_the_words_tell_is_told_once(leak):
    told = Finding("lost-reference", 3072.0, LINES, LOST)
    assert untold_allocation_of(told) == ("", LINES[1])
    result = replace(leak, holders=(), findings=(told,))
    for page in (render(result), html_of(result)):
        assert page.count(LINES[0]) == 1
        assert page.count(LINES[1]) == 1


def test_a_line_that_the_words_do_not_tell_stands_below_them(leak):
    silent = Finding("threads", 3072.0, LINES, *said("400 threads still run."))
    assert untold_allocation_of(silent) == LINES
    result = replace(leak, holders=(), findings=(silent,))
    assert "allocated at shop.py:6 in read" in render(result)
    assert "Allocated at" in html_of(result)
