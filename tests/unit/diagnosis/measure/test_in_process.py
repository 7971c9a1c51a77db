import asyncio
import json
import logging
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from labserver.diagnosis import instruments
from labserver.diagnosis.measure.in_process import leak_check
from labserver.diagnosis.verdict import Verdict
from labserver.errors import CannotLook, UsageError
from labserver.heap.budget import Budget


@pytest.fixture(scope="module")
def answers():
    """What the checks of `in_process_checks.py` came to, by their names."""
    script = Path(__file__).with_name("in_process_checks.py")
    command = [sys.executable, script.name]
    done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False, timeout=280)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_what_a_module_keeps_is_measured_and_named(answers):
    result = answers["a_module_keeps"]
    (holder, *_), growth = result["holders"], result["bytes_per_job"]
    assert (result["verdict"], result["target"]) == ("leak", "checkout")
    assert growth["low"] < 3033 * 1.05
    assert growth["high"] > 3033
    assert holder["path"] == "module shop → CACHE → ['…']"
    assert holder["share_of_growth"] > 0.9
    assert holder["allocated_at"][0].endswith(" in a_module_keeps.job")
    assert not [line for line in holder["allocated_at"] if line.startswith("labserver")]
    assert "B/job" in result["interval_seen"]


def test_what_only_a_closure_keeps_is_found_behind_the_body(answers):
    result = answers["a_closure_keeps"]
    assert result["verdict"] == "leak"
    assert result["holders"][0]["path"].startswith("module (closure) → body")
    assert not result["module_left"]


def test_what_can_only_expire_beside_the_jobs_is_waited_for_where_anything_runs_there(answers):
    waited = "waiting for what may expire"
    assert waited not in answers["nothing_acts_by_itself"]["phases"]
    assert waited in answers["a_thread_may_expire_it"]["phases"]
    assert {answers[one]["verdict"] for one in ("nothing_acts_by_itself", "a_thread_may_expire_it")} == {"leak"}


@pytest.mark.parametrize("name", ["an_exception_is_kept", "a_frame_is_kept", "a_failure_is_kept"])
def test_what_keeps_a_frame_is_named_without_the_calls_of_the_check(answers, name):
    result = answers[name]
    assert result["verdict"] == "leak"
    (first, *_) = result["holders"]
    assert " → closure kept → […]" in first["path"]
    assert first["share_of_growth"] > 0.9
    paths = [holder["path"] for holder in result["holders"] + result["small_holders"]]
    assert not [path for path in paths if "f_back" in path or "local " in path]
    assert not [note for note in result["notes"] if "f_back" in note]


def test_the_check_of_a_callable_loads_no_http_client():
    code = "import sys, labserver.diagnosis as d; d.leak_check; print({'requests', 'urllib3'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"


def test_a_body_that_keeps_nothing_is_quiet_whatever_it_says(answers):
    result = answers["nothing_is_kept"]  # what it printed is not in front of the JSON either
    assert (result["verdict"], result["target"]) == ("no-leak", "noise")
    assert result["bytes_per_job"]["high"] < 256
    assert (result["warnings"], result["tracing"]) == (0, False)


def test_a_trace_of_the_callers_goes_on(answers):
    result = answers["the_caller_traces"]
    assert result["frames"] == 2
    assert result["verdict"] != "leak"


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


def test_a_body_that_is_too_slow_ends_undecided_in_time():
    result = leak_check(lambda: time.sleep(0.2), max_seconds=1.0)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.seconds < 40


def test_a_heap_too_large_to_be_seen_leaves_the_verdict_and_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(instruments, "look_budget", lambda: Budget(1 << 40, 0.0))
    kept = []
    leaky, clean = leak_check(lambda: kept.append(bytes(3000))), leak_check(lambda: bytes(3000))
    assert (leaky.verdict, clean.verdict) == (Verdict.LEAK, Verdict.NO_LEAK)
    assert any("too large to be seen whole" in note for note in leaky.notes)
    assert leaky.growth.held < leaky.growth.total / 2


def test_wrong_options_are_one_sentence_and_start_nothing():
    ran = []
    for wrong in ({"max_jobs": 0}, {"tolerance": -1}, {"confidence": 1}, {"max_seconds": 0}):
        with pytest.raises(UsageError):
            leak_check(lambda: ran.append(1), **wrong)
    with pytest.raises(UsageError, match="coroutine function"):
        leak_check(lambda_of_asyncio)
    with pytest.raises(UsageError, match="gives back a coroutine"):
        leak_check(lambda: lambda_of_asyncio())  # noqa: PLW0108 - so that it is no coroutine function
    assert ran == []


async def lambda_of_asyncio():
    await asyncio.sleep(0)


def test_where_no_look_succeeds_the_bytes_decide_and_the_page_says_what_is_missing(monkeypatch):
    def refuse():
        raise CannotLook("it needs about 900 MiB, and 40 are free")

    monkeypatch.setattr(instruments, "look_budget", refuse)
    kept = []
    leaky, clean = leak_check(lambda: kept.append(bytes(3000))), leak_check(lambda: bytes(3000))
    assert (leaky.verdict, clean.verdict) == (Verdict.LEAK, Verdict.NO_LEAK)
    assert leaky.holders == clean.holders == ()
    said = "The heap could not be looked at, so the holders are not known: it needs about 900 MiB, and 40 are free."
    assert all(said in result.notes for result in (leaky, clean))


def test_a_look_that_fails_later_leaves_what_was_known(monkeypatch):
    looks = []

    def refuse_the_last():
        looks.append(1)
        if len(looks) > 3:
            raise CannotLook("its process died")
        return Budget(1 << 40)

    monkeypatch.setattr(instruments, "look_budget", refuse_the_last)
    kept = []
    leaky = leak_check(lambda: kept.append(bytes(3000)))
    assert leaky.verdict is Verdict.LEAK
    assert any("its process died" in note for note in leaky.notes)
