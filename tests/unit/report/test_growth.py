import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labserver.diagnosis.fact import said
from labserver.diagnosis.result import CheckResult, Finding
from labserver.diagnosis.verdict import Verdict
from labserver.report.github import summary_of
from labserver.report.growth import growth_sentence, small_sentence
from labserver.report.html import html_of
from labserver.report.icicle import icicle_of
from labserver.report.terminal import render
from labserver.stats.interval import Interval

SIZES = st.integers(1, 10**9)
# The fixture is a value that nobody changes.
FIXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
SHARE = re.compile(r"([−\d.]+) %")


def result_of(holder, total, held, found):
    holders = tuple(replace(holder, growth_bytes=size, share_of_growth=min(size / total, 1.0)) for size in held)
    floors = ((0, 0), (50, total // 2), (100, total))
    findings = tuple(Finding("native", size / 100, (), *said("Native.")) for size in found)
    interval = Interval(total / 100, total / 101, total / 99, 0.99)
    return CheckResult("shop:app", Verdict.LEAK, interval, 256, "both", 100, 1.0, 0, floors, holders, findings)


@settings(FIXED, deadline=None, max_examples=50)  # a page takes a tenth of a second on a busy machine
@given(total=SIZES, held=st.lists(SIZES, max_size=4), found=st.lists(SIZES, max_size=2))
def test_a_part_is_not_larger_than_its_whole(leak, total, held, found):
    leak = result_of(leak.holders[0], total, held, found)
    for page in (render(leak), growth_sentence(leak), icicle_of(leak), re.sub(r"<style>.*</style>", "", html_of(leak))):
        shares = [float(share.replace("−", "-")) for share in SHARE.findall(page)]
        assert all(0 <= share <= 100 for share in shares), page


@settings(FIXED)
@given(total=SIZES, held=st.lists(SIZES, min_size=1, max_size=4))
def test_what_came_is_what_is_there_more_and_what_was_freed(leak, total, held):
    leak, sum_held = result_of(leak.holders[0], total, held, ()), sum(held)
    growth = leak.growth
    assert growth.came == growth.total + growth.freed == max(total, sum_held)
    assert ("freed" in growth_sentence(leak)) == (sum_held > total)


@pytest.mark.parametrize(
    ("kind", "said_of_it"), [("native", "100 % found without a holder"), ("threads", "100 % kept by threads")]
)
def test_nothing_is_told_of_parts_that_are_none(leak, kind, said_of_it):
    finding = Finding(kind, leak.growth.total / leak.growth.jobs, (), *said("Some words."))
    sentence = growth_sentence(replace(leak, holders=(), findings=(finding,)))
    assert said_of_it in sentence
    assert not re.search(r"(?<![\d.])0 %|unexplained|held by", sentence)


def test_growth_that_nobody_explains_is_stated(leak):
    sentence = growth_sentence(replace(leak, holders=(), findings=()))
    assert sentence.endswith("over 240 jobs: 100 % unexplained (48,029,616 B, 200,123 B/job).")


def with_small(leak, sizes, **more):
    small = tuple(replace(leak.holders[0], growth_bytes=size) for size in sizes)
    return replace(leak, small_holders=small, **more)


def test_small_holders_are_one_line(leak):
    assert small_sentence(leak) == ""
    many = with_small(leak, [24_000, 240, 240])
    assert small_sentence(many) == "3 more holders below 256 B/job hold 102 B/job together."
    assert small_sentence(with_small(leak, [24_000])) == "1 more holder below 256 B/job holds 100 B/job."
    alone = with_small(leak, [240, 240], holders=(), findings=())
    assert small_sentence(alone) == "2 holders below 256 B/job hold 2 B/job together."
    for page in (render(many), html_of(many), summary_of(many)):
        assert page.count("3 more holders below 256 B/job") >= 1
        assert "4. shop" not in page
    assert "0.1 % by 3 small ones" in growth_sentence(many)
    assert many.to_dict()["growth"]["small_bytes"] == 24_480
    assert len(many.to_dict()["small_holders"]) == 3


def with_threads(leak):
    held = replace(leak.holders[0], path="module threading → _active", growth_bytes=24_000_000)
    threads = Finding("threads", 100_500.0, ("shop.py:30 in work",), *said("400 threads lead."), holders=(held,))
    (holder,) = leak.holders
    return replace(leak, holders=(replace(holder, growth_bytes=12_000_000),), findings=(*leak.findings, threads))


def test_threads_come_before_the_holders_with_what_they_hold(leak):
    leak = with_threads(leak)
    for page, holder in ((render(leak), "1. shop"), (html_of(leak), 'id="holder-1"'), (summary_of(leak), "| holder |")):
        places = [page.find(text) for text in ("400 threads lead.", holder, "are native.")]
        assert places == sorted(places)
        assert -1 not in places
    assert "shop.STORE._jobs['…']: 240 × bytes" in render(leak)
    assert "50.2 % kept by threads that still run" in growth_sentence(leak)
    assert "found without a holder" in growth_sentence(leak)


def test_what_is_folded_is_counted_once(leak):
    leak = with_threads(leak)
    growth = leak.growth
    assert growth.held == 12_000_000
    assert growth.found == (100_512 * 240)
    assert growth.held + growth.found + growth.unexplained == growth.total
    assert leak.to_dict()["findings"][1]["holders"][0]["path"] == "module threading → _active"


@settings(FIXED, deadline=None, max_examples=50)
@given(total=SIZES, held=st.lists(SIZES, max_size=2), small=st.lists(SIZES, max_size=3), folded=SIZES)
def test_parts_of_every_kind_are_no_larger_than_the_whole(leak, total, held, small, folded):
    whole = replace(with_small(leak, small), holders=(), findings=())
    whole = replace(result_of(leak.holders[0], total, held, [1]), small_holders=whole.small_holders)
    inside = replace(leak.holders[0], growth_bytes=folded)
    threads = Finding("threads", folded / 100, (), *said("Threads."), holders=(inside,))
    whole = replace(whole, findings=(threads, *whole.findings))
    for page in (growth_sentence(whole), icicle_of(whole)):
        shares = [float(share.replace("−", "-")) for share in SHARE.findall(page)]
        assert all(0 <= share <= 100 for share in shares), page
