import io
import os
import re
from dataclasses import replace

import pytest
from rich.console import Console

from labserver.diagnosis.fact import State
from labserver.diagnosis.result import Status
from labserver.diagnosis.verdict import Verdict
from labserver.report.terminal import render, show

PAGE = """\
LEAK  shop:app keeps 200,123 B of every job (199,900 to 200,340, 99 %); tolerance 256 B
240 jobs, 3 of them failed, 12.3 s; meter: memory in use, Python's and the C library's
Beyond Python's objects the process keeps 12 B of every job (−300 to 320, 99 %).

1. shop.STORE._jobs keeps 99.9 % of the growth: 240 × bytes, 48,029,520 B (45.8 MiB) retained
   letting go of the whole dict would free 50,000,000 B (47.7 MiB)
   ┬───
   ├─ module shop
   │    ↓ STORE
   ├─ Store
   │    ↓ _jobs
   ├─ dict
   │    ↓ ['…']
   │      ~~~~~
   ╰→ bytes × 240
      allocated at shop.py:41 in render
      called from  shop.py:20 in work
      hint: entries are added per job and never removed: bound it, or evict what was fetched or has expired

Native memory, 12 B of every job
   12 B/job are native.
      hint: look at what native code is handed per job: an image, a session, a parser that is never closed or
      freed

Growth 48,029,616 B (45.8 MiB) over 240 jobs: 99.9 % held by 1 holder, <0.1 % found without a holder, <0.1 %
unexplained (26,736 B, 111 B/job).

3 of 240 jobs failed (1.2 %): GET /work answered 500.
"""


def test_a_leak_reads_from_the_verdict_to_the_line(leak):
    assert render(leak) == PAGE


def test_a_known_leak_of_a_library_is_called_so_and_where_more_is_told_is_named(known_leak):
    page = render(known_leak)
    assert "      known leak of CPython\n" in page
    assert "      see: python/cpython#97557: Memory leak: warnings module\n" in page
    assert "hint: a module remembers every text" in page


def test_no_leak_states_the_bound_that_was_shown(clean):
    assert render(clean) == (
        "NO LEAK  shop:app keeps less than 256 B of every job (−40 to 35, 99 %)\n"
        "400 jobs, 9.0 s; meter: memory in use, Python's and the C library's\n"
    )


def test_what_is_undecided_states_its_interval(clean):
    page = render(replace(clean, verdict=Verdict.INCONCLUSIVE, tolerance=0.5))
    assert page.startswith("INCONCLUSIVE  shop:app grew by −40 to 35 B a job (99 %); tolerance 0.5 B\n")


def test_without_an_interval_there_is_only_the_reason(nothing):
    assert render(nothing).startswith("CANNOT SAY  shop:app\n")
    assert render(nothing).endswith("\nshop is not there.\n")


def test_unexplained_growth_is_stated_even_where_it_is_all(leak):
    page = render(replace(leak, holders=()))
    assert "held by" not in page
    assert "100 % unexplained" not in page  # the finding's 12 B/job have a name
    assert "99.9 % unexplained (48,026,736 B, 200,111 B/job)" in " ".join(page.split())


def test_holders_beyond_the_growth_are_accounted_for(leak):
    (holder,) = leak.holders
    page = " ".join(render(replace(leak, findings=(), holders=(replace(holder, growth_bytes=49_000_000),))).split())
    sums = "100 % held by 1 holder, while 970,384 B of other memory (4,043 B/job) were freed."
    assert f"over 240 jobs: 49,000,000 B (46.7 MiB) came, {sums}" in page
    assert "keeps 100 % of the growth" in page


def test_bounds_other_holders_and_states_are_said(leak):
    (holder,) = leak.holders
    said = replace(
        holder,
        bound=128,
        bound_from="Store.maxsize",
        also_held_by=("module shop → LOG",),
        status=Status(State.EXPIRED, {"until": "2026-01-31", "reason": "known"}),
    )
    page = render(replace(leak, holders=(said,)))
    assert "declares a bound of 128 (Store.maxsize)" in page
    assert "also held by module shop → LOG: cutting one chain alone frees nothing" in page
    assert "expired: was accepted until 2026-01-31 (known)" in page
    assert "grows beyond it" in page


@pytest.mark.parametrize("width", [60, 80, 110])
def test_prose_keeps_to_the_width(leak, width):
    assert max(map(len, render(leak, width).splitlines())) <= width


@pytest.mark.parametrize("width", range(60, 111, 5))
def test_a_number_and_its_unit_stand_in_one_line(leak, width):
    page = render(leak, width)
    assert not re.search(r"\d\n\s*(B|%|s|MiB)\b", page)
    assert "\N{NO-BREAK SPACE}" not in page


def test_the_names_in_a_chain_are_not_faint(leak):
    terminal = Console(file=io.StringIO(), force_terminal=True, width=110)
    show(leak, terminal)
    lines = terminal.file.getvalue().splitlines()
    for name, shown in (("Store", "Store"), ("dict", "\x1b[1mdict\x1b[0m"), ("bytes", "\x1b[1mbytes\x1b[0m × 240")):
        assert [line for line in lines if re.fullmatch(rf"\x1b\[2m   (├─|╰→) \x1b\[0m{re.escape(shown)}", line)], name


def test_a_terminal_gets_colours_and_a_pipe_none(leak):
    terminal, pipe = (Console(file=io.StringIO(), force_terminal=is_one, width=200) for is_one in (True, False))
    show(leak, terminal)
    show(leak, pipe)
    assert pipe.file.getvalue() == PAGE
    assert "\x1b[1;31mLEAK" in terminal.file.getvalue()
    assert "\x1b[31mGET" not in terminal.file.getvalue()  # what the application colours stays out


def test_a_pipe_of_few_letters_gets_what_it_can_spell(leak):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show(leak, Console(file=stream))
    assert stream.buffer.getvalue().startswith(b"LEAK  shop:app keeps 200,123 B")


def test_a_reader_that_has_left_is_no_error(leak):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        show(leak, Console(file=stream))
