from dataclasses import replace

import pytest

from labserver.plugins.pytest_judgement import Answer, Judgement, Why, WhyKind
from labserver.plugins.pytest_page import session_page
from labserver.plugins.pytest_table import in_order, write_table

LEAK = Judgement(
    "test_shop.py::test_buys",
    Answer.LEAK,
    estimate=3102.4,
    holder="shop.KEPT['<b>']",
    site="shop.py:3 in buy",
    seconds=3.2,
    page='<!DOCTYPE html><p title="it\'s">LEAK</p>',
)
LARGER = Judgement("test_shop.py::test_sells", Answer.LEAK, estimate=9000.0, site="shop.py:9 in sell", seconds=4.0)
SLOW = Judgement(
    "test_shop.py::test_waits",
    Answer.NOT_JUDGED,
    why=Why(WhyKind.SLOW, {"seconds": 2.04, "limit": 60.0, "fits": 29, "least": 40, "needed": 82.0}),
)
CLEAN = Judgement("test_shop.py::test_looks", Answer.NO_LEAK, estimate=-3.0, seconds=1.0)


class Terminal:
    """Stands for pytest's terminal reporter."""

    def __init__(self):
        self.text = ""

    def section(self, title, sep="=", **_):
        self.text += f"{sep} {title}\n"

    def write(self, content, **_):
        self.text += content

    def write_line(self, line, **_):
        self.text += f"{line}\n"


def table(*judgements, every=False):
    terminal = Terminal()
    write_table(judgements, terminal, every=every)
    return terminal.text.splitlines()


def test_the_worst_come_first():
    assert in_order([CLEAN, SLOW, LEAK, LARGER]) == [LARGER, LEAK, SLOW, CLEAN]


def test_the_table_has_name_verdict_bytes_and_holder():
    assert table(CLEAN, LEAK, SLOW) == [
        "= leak check",
        "verdict        B a run  test, and who holds the bytes",
        "LEAK             3,102  test_shop.py::test_buys",
        "                        shop.KEPT['<b>']",
        "                        shop.py:3 in buy",
        "NOT JUDGED           –  test_shop.py::test_waits",
        f"{'':24}A run takes 2 s: 29 fit into 60 s, and fewer than 40 say nothing. Give it --leak-check-seconds 82.",
        "NO LEAK             −3  test_shop.py::test_looks",
        "Of 3 checks, 1 leaks, 1 is not judged, 1 keeps nothing; 4 s.",
    ]


def test_many_clean_tests_are_one_line_unless_all_are_wanted():
    many = [replace(CLEAN, test=f"test_shop.py::test_looks_at_{number}") for number in range(21)]
    lines = table(LEAK, *many)
    assert len(lines) == 7
    assert lines[-2] == "… and 21 more that keep nothing: -v shows them."
    assert sum("test_looks" in line for line in table(LEAK, *many, every=True)) == 21
    assert sum("test_looks" in line for line in table(LEAK, *many[:20])) == 20


def test_a_session_without_a_check_says_so():
    assert table() == ["= leak check", "No test was checked: none passed of those that were wanted."]


@pytest.mark.parametrize("kind", WhyKind)
def test_every_reason_has_words(kind):
    known = {"text": "it", "step": "call", "where": "a.py:1", "holder": "KEPT"}
    known |= {"seconds": 2.0, "limit": 60.0, "fits": 29, "least": 40, "needed": 82.0}
    (line,) = table(Judgement("test_a", Answer.NOT_JUDGED, why=Why(kind, known)))[3:-1]
    assert line.strip()


def test_the_page_has_the_table_and_each_result_escaped():
    page = session_page([CLEAN, LEAK, SLOW])
    assert "shop.KEPT[&#39;&lt;b&gt;&#39;]" in page
    assert '<a href="#result-1">test_shop.py::test_buys</a>' in page
    assert 'id="result-1"' in page
    assert 'srcdoc="&lt;!DOCTYPE html&gt;&lt;p title=&#34;it&#39;s&#34;&gt;LEAK&lt;/p&gt;"' in page
    assert page.count("<iframe") == 1
    assert "Of 3 checks, 1 leaks, 1 is not judged, 1 keeps nothing; 4 s." in page
    assert '<body class="leak">' in page
    assert "<table>" not in session_page([])
