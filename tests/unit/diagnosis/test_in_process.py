import asyncio
import logging
import sys
import time
import tracemalloc
import warnings

import pytest

from labserver.diagnosis import check
from labserver.diagnosis.decision import Verdict
from labserver.diagnosis.in_process import leak_check
from labserver.errors import UsageError


@pytest.fixture(autouse=True)
def nothing_expires(monkeypatch):
    """The jobs of these tests keep for ever what they keep: it need not be waited for."""
    monkeypatch.setattr(check, "_IDLE_S", 0.0)


def test_what_a_module_keeps_is_measured_and_named(shop):
    shop.CACHE = {}

    def job():
        shop.CACHE[len(shop.CACHE)] = bytes(3000)

    seen = []
    result = leak_check(job, name="checkout", on_progress=seen.append)
    assert result.verdict is Verdict.LEAK
    assert result.target == "checkout"
    assert result.interval.low < 3033 * 1.05
    assert result.interval.high > 3033
    assert result.holders[0].path == "module shop → CACHE → ['…']"
    assert result.holders[0].share_of_growth > 0.9
    assert result.holders[0].allocated_at[0].endswith("test_what_a_module_keeps_is_measured_and_named.job")
    assert not [line for line in result.holders[0].allocated_at if line.startswith("labserver")]
    assert seen[-1].interval is not None


def test_what_only_a_closure_keeps_is_found_behind_the_body():
    kept = []
    result = leak_check(lambda: kept.append(bytes(3000)), name="closure")
    assert result.verdict is Verdict.LEAK
    assert result.holders[0].path.startswith("module (closure) → body")
    assert "(closure)" not in sys.modules


def test_a_body_that_keeps_nothing_is_quiet_whatever_it_says(capsys):
    def job():
        sys.stdout.write("x" * 2000)
        sys.stderr.write("y" * 2000)
        warnings.warn("z" * 2000, DeprecationWarning, stacklevel=1)
        cycle = {"buffer": bytes(2000)}
        cycle["self"] = cycle
        return cycle

    with warnings.catch_warnings(record=True) as kept:
        warnings.simplefilter("always")
        result = leak_check(job)
    assert result.verdict is Verdict.NO_LEAK
    assert result.interval.high < 256
    assert result.target == "test_a_body_that_keeps_nothing_is_quiet_whatever_it_says.<locals>.job"
    assert kept == []
    assert capsys.readouterr() == ("", "")
    assert not tracemalloc.is_tracing()


def test_what_the_body_raises_goes_through_and_nothing_is_left_behind():
    modules, handlers, shown = set(sys.modules), list(logging.getLogger().handlers), warnings.showwarning
    with pytest.raises(ZeroDivisionError):
        leak_check(lambda: 1 / 0)
    assert set(sys.modules) == modules
    assert logging.getLogger().handlers == handlers
    assert warnings.showwarning is shown


def test_a_warning_that_is_an_error_stays_one():
    with pytest.raises(DeprecationWarning):
        leak_check(lambda: warnings.warn("old", DeprecationWarning, stacklevel=1))


def test_a_trace_of_the_callers_goes_on():
    tracemalloc.start(2)
    try:
        result = leak_check(lambda: None, jobs=60)
        assert tracemalloc.is_tracing()
        assert tracemalloc.get_traceback_limit() == 2
    finally:
        tracemalloc.stop()
    assert result.verdict is not Verdict.LEAK


def test_a_body_that_is_too_slow_ends_undecided_in_time():
    result = leak_check(lambda: time.sleep(0.2), seconds=1.0)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.seconds < 10


def test_wrong_options_are_one_sentence_and_start_nothing():
    ran = []
    for wrong in ({"jobs": 0}, {"tolerance": -1}, {"confidence": 1}, {"seconds": 0}):
        with pytest.raises(UsageError):
            leak_check(lambda: ran.append(1), **wrong)
    with pytest.raises(UsageError, match="coroutine function"):
        leak_check(lambda_of_asyncio)
    assert ran == []


async def lambda_of_asyncio():
    await asyncio.sleep(0)
