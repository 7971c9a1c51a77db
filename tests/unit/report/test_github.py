from dataclasses import replace

from labserver.diagnosis.fact import State, said
from labserver.diagnosis.result import Status
from labserver.heap.frame import Frame
from labserver.report.github import annotations_of, summary_of


def test_the_summary_has_the_verdict_the_holders_and_the_page(leak):
    text = summary_of(leak)
    assert text.startswith("### 🔴 LEAK\n")
    row = "| `shop.STORE._jobs` (240 × bytes) | 48,029,520 B (45.8 MiB) | 99.9 % "
    assert f"{row}| `shop.py:41 in render` | `shop.py:20 in work` |" in text
    assert "\\_" not in text.split("<details>")[1]  # inside the fence nothing is escaped
    assert text.count("`````") == 2


def test_the_application_cannot_write_into_the_summary(leak):
    (holder,) = leak.holders
    evil = replace(holder, stack=(Frame("a|`b.py", 1, "x"),))
    text = summary_of(replace(leak, target="a|<b>:app", holders=(evil,)))
    assert "a\\|\\<b\\>:app" in text
    assert "`a\\|'b.py:1 in x`" in text


def test_annotations_stand_at_the_lines(leak, monkeypatch):
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    first, second = annotations_of(leak)
    assert first.startswith("::error file=shop.py,line=41,title=Memory leak check::shop.STORE._jobs keeps 48,029,520 B")
    assert second == "::error title=Memory leak check::12 B/job are native."


def test_annotations_name_files_from_the_top_of_the_repository(leak, monkeypatch, tmp_path):
    (tmp_path / "backend").mkdir()
    monkeypatch.chdir(tmp_path / "backend")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert "file=backend/shop.py,line=41" in next(annotations_of(leak))


def test_annotations_escape_what_would_end_them(leak):
    finding = replace(leak.findings[0], told=said("100 %\nnot ::error")[0], allocated_at=("a,b:c.py:3 in x",))
    (line,) = annotations_of(replace(leak, holders=(), findings=(finding,)))
    assert line == "::error file=a%2Cb%3Ac.py,line=3,title=Memory leak check::100 %25%0Anot ::error"


def test_what_is_accepted_is_a_notice_and_what_cannot_be_said_a_warning(leak, clean, nothing):
    accepted = replace(leak.holders[0], status=Status(State.ACCEPTED, {"until": "2030-01-31", "reason": "ticket 7"}))
    (line,) = annotations_of(replace(leak, holders=(accepted,), findings=()))
    assert line.startswith("::notice file=shop.py")
    assert next(annotations_of(nothing)).startswith("::warning ")
    assert list(annotations_of(clean)) == []
    assert next(annotations_of(replace(leak, holders=(), findings=()))).startswith("::error title=")
