import re
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labserver.diagnosis.fact import said
from labserver.diagnosis.result import CheckResult, Finding
from labserver.diagnosis.verdict import Verdict
from labserver.report.growth import growth_sentence
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
