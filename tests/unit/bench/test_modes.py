"""Every mode says what is right of it, and does its jobs."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

MODES = Path(__file__).parents[2] / "bench" / "modes"
RUN_ALL = """
from mode import every_mode
from serve import callable_of

for mode in every_mode().values():
    made = mode.make() if not mode.dependencies else None
    if not mode.dependencies and not hasattr(made, "wsgi_app"):
        job = callable_of(made)
        for number in range(3):
            job(number)
        print(mode.key, flush=True)
import os
os._exit(0)
"""


@pytest.fixture(scope="module")
def modes(bench):
    return bench("mode").every_mode()


def test_there_are_enough_of_each(modes):
    clean = [mode for mode in modes.values() if mode.truth.verdict == "no-leak"]
    assert len(clean) > 90
    assert len(modes) - len(clean) > 70
    assert {mode.truth.verdict for mode in modes.values()} == {"leak", "no-leak"}


def test_the_lines_that_allocate_stand_in_the_code(modes):
    """Each once where it is declared, and at least once where it runs."""
    for mode in modes.values():
        text = (MODES / f"{mode.module}.py").read_text(encoding="utf-8")
        code = "\n".join(line for line in text.splitlines() if "leak(" not in line and "line=" not in line)
        missing = [line for line in mode.truth.line or () if line not in code]
        assert not missing, f"{mode.key} has no line {missing}"


def test_patterns_are_patterns_and_only_leaks_name_anything(modes):
    for mode in modes.values():
        truth = mode.truth
        re.compile(truth.item or "")
        re.compile(truth.holder or "")
        if truth.verdict == "no-leak":
            assert (truth.item, truth.holder, truth.line, truth.bytes_per_job) == (None, None, None, None), mode.key


def test_libraries_are_told_by_the_module(modes):
    assert "cachetools" in modes["bounded_libraries:cachetools_lru"].dependencies
    assert modes["clean:lru"].dependencies == ()


def test_jobs_of_the_standard_library_run(modes):
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        cwd=MODES,
        env={"PYTHONPATH": str(MODES)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    ran = set(done.stdout.split())
    assert {mode.key for mode in modes.values() if not mode.dependencies} - ran == {"clean:page"}


def test_a_mode_serves_its_work_and_counts(bench):
    asked = []
    client = bench("serve").serve(asked.append).test_client()
    assert [client.get("/work").json for _ in range(2)] == [{"ok": True}] * 2
    assert asked == [0, 1]


def test_a_coroutine_is_served_by_an_asynchronous_application(bench):
    asked, sent = [], []

    async def work(number):
        asked.append(number)

    async def send(message):
        sent.append(message["type"])

    application = bench("serve").serve(work)
    asyncio.run(application({"type": "http"}, None, send))
    assert asked == [0]
    assert sent == ["http.response.start", "http.response.body"]


def test_a_coroutine_is_a_plain_function_for_who_calls_it(bench):
    async def work(number):
        return number + 1

    with asyncio.Runner() as runner:
        job = bench("serve").callable_of(work, runner)
        assert [job(1), job(2)] == [2, 3]
