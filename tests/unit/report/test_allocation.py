from dataclasses import replace

import pytest

from labserver.heap.frame import Frame
from labserver.heap.heap_growth import Site
from labserver.heap.origin import Origin
from labserver.report.allocation import allocation_of, allocation_sentence
from labserver.report.terminal import render


def own(line, function):
    return Frame("shop.py", line, function, Origin.APPLICATION)


def library(file, line, function):
    return Frame(file, line, function)


PARSER = library("json/decoder.py", 353, "raw_decode")
LOADS = library("json/__init__.py", 346, "loads")
WSGI = library("flask/app.py", 902, "dispatch")
WORK, RENDER, HOOK, QUOTE = own(20, "work"), own(41, "render"), own(50, "hook"), own(6, "quote")
LEAF, STEP = own(9, "steps"), own(10, "steps")
CASES = {
    "by a library for the application": ([PARSER, LOADS, WORK, WSGI], PARSER, WORK),
    "by the application itself": ([RENDER, WORK, WSGI], RENDER, WORK),
    "by a callback of a library's": ([HOOK, PARSER, WORK, WSGI], HOOK, WORK),
    "in a recursion": ([LEAF, STEP, STEP, QUOTE, WORK], LEAF, QUOTE),
    "by one function alone": ([LEAF, STEP, WSGI], LEAF, None),
    "by libraries alone": ([PARSER, LOADS, WSGI], PARSER, LOADS),
    "by one line": ([WSGI], WSGI, None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_allocating_line_and_the_nearest_of_the_application(case):
    stack, at, called_from = CASES[case]
    site = Site(1, 1, (), tuple(stack))
    assert allocation_of(site) == (str(at), called_from and str(called_from))


def test_an_older_version_tells_lines_alone(leak):
    (holder,) = leak.holders
    older = replace(holder, stack=())
    assert allocation_of(older) == ("shop.py:41 in render", "shop.py:20 in work")
    assert allocation_of(replace(older, allocated_at=("shop.py:41 in render",))) == ("shop.py:41 in render", None)
    assert allocation_sentence(replace(older, allocated_at=())) == ""
    assert allocation_sentence(older) == "allocated at shop.py:41 in render, called from shop.py:20 in work"


def test_the_terminal_calls_each_line_what_it_is_and_shows_no_more_than_two(leak):
    (holder,) = leak.holders
    deep = replace(holder, stack=(PARSER, own(41, "render"), own(20, "work"), WSGI))
    page = render(replace(leak, holders=(deep,), findings=()))
    assert "      allocated at json/decoder.py:353 in raw_decode\n      called from  shop.py:41 in render\n" in page
    assert "in work" not in page
    assert "flask" not in page
