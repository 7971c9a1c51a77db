import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from labserver.cli import main
from labserver.diagnosis.fact import FailedKind, said
from labserver.diagnosis.failure import Failure, JobsFailed
from labserver.diagnosis.measure.check import Interrupted
from labserver.diagnosis.measure.options import CheckProgress
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.errors import CannotRun
from labserver.heap.chain import Link
from labserver.heap.edge import ITEM, attribute
from labserver.load.answer import Answer
from labserver.stats.interval import Interval

REQUEST = ["--request", "GET /work"]
HOLDER = NamedHolder(
    path="module shop → KEPT → […] → bytes",
    holder="module shop → KEPT → list",
    holder_type="list",
    buffer_type="bytes",
    buffers=100,
    growth_bytes=99_000,
    retained_bytes=99_000,
    share_of_growth=0.99,
    chain=(
        Link(None, "module", "module shop"),
        Link(attribute("KEPT"), "list", "list"),
        Link(ITEM, "bytes", "bytes"),
    ),
    allocated_at=("shop.py:3 in work",),
    fingerprint="aa",
)
INTERVAL = Interval(1000.0, 990.0, 1010.0, 0.99)
LEAK = CheckResult(
    "shop:app",
    Verdict.LEAK,
    INTERVAL,
    256,
    "both",
    100,
    1.0,
    0,
    floors=((0, 0), (50, 50_000), (100, 100_000)),
    holders=(HOLDER,),
)


@pytest.fixture(autouse=True)
def a_place_of_its_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def answers(monkeypatch):
    """The check comes to this result, or ends in this exception."""

    def install(result):
        def run(_options, on_progress):
            on_progress(CheckProgress("measuring", 40, 1.0, INTERVAL))
            if isinstance(result, BaseException):
                raise result
            return result

        monkeypatch.setattr("labserver.diagnosis.measure.check.run_check", run)

    return install


def check(*arguments):
    return main(["check", "shop:app", *REQUEST, *arguments])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["shop"], "is no target"),
        (["shop:app"], "Say what a job is"),
        (["shop:app", *REQUEST, "--users", "0"], "--users"),
        (["shop:app", *REQUEST, "--tolerance", "-1"], "tolerance is -1"),
        (["shop:app", *REQUEST, "--json", "nowhere/x.json"], "there is no directory nowhere"),
        (["shop:app", *REQUEST, "--junit", "nowhere/x.xml"], "there is no directory nowhere"),
        (["shop:app", *REQUEST, "--html", "nowhere/x.html"], "there is no directory nowhere"),
        (["shop:app", *REQUEST, "--html", "."], "is a directory"),
        (["shop:app", *REQUEST, "--write-baseline", "nowhere/x.json"], "there is no directory nowhere"),
        (["shop:app", *REQUEST, "--json", "x", "--html", "./x"], "Two options name the same file"),
        (["shop:app", *REQUEST, "--baseline", "none.json"], "The baseline none.json cannot be read"),
        (["shop:app", *REQUEST, "--jobs-from", "http://127.0.0.1/m#n"], "--jobs-from goes with --observe"),
        (["pid:7", "--observe", "10m", "--jobs-from", "m#n"], "is no counter"),
        (["pid:7", "--observe", "10m", *REQUEST], "makes no load"),
        (["pid:7", "--observe", "soon"], "--observe"),
        (["pid:7", "--observe", "10m", "--every", "often"], "--every"),
        (["pid:7", *REQUEST, "--attach-timeout", "10ms"], "10ms is too short: 0.1 s is the least"),
    ],
)
def test_a_wrong_option_is_exit_code_2(arguments, sentence, capsys):
    assert main(["check", *arguments]) == 2
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_a_wrong_option_is_told_before_anything_starts(answers, tmp_path):
    answers(AssertionError("it was started"))
    (tmp_path / "b.json").write_text("{")
    assert check("--baseline", "b.json") == 2
    assert check("--html", "nowhere/x.html") == 2


def test_a_leak_is_exit_code_1_and_every_file_is_written(answers, capsys, tmp_path):
    answers(LEAK)
    assert check("--json", "a.json", "--junit", "a.xml", "--html", "a.html") == 1
    out, err = capsys.readouterr()
    assert out.startswith("LEAK  shop:app keeps 1,000 B of every job")
    assert err == "1 s: measuring, 40 jobs: 1,000 B/job (990 to 1,010, 99 %)\n"
    plain = json.loads((tmp_path / "a.json").read_text())
    assert plain["verdict"] == "leak"
    assert plain["provenance"]["command"].startswith("labserver check shop:app --request 'GET /work' --json a.json")
    assert ET.parse(tmp_path / "a.xml").getroot().get("failures") == "2"
    assert "shop.KEPT" in (tmp_path / "a.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a.json", "a.xml"]


def test_quiet_shows_no_progress(answers, capsys):
    answers(LEAK)
    assert check("--quiet") == 1
    assert capsys.readouterr().err == ""


def test_json_to_standard_output_leaves_the_page_to_the_other_one(answers, capsys):
    answers(LEAK)
    assert check("--json", "-", "--quiet") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == "leak"
    assert err.startswith("LEAK  shop:app")


def test_a_baseline_lets_the_known_leak_pass_until_it_expires(answers, capsys, tmp_path):
    answers(LEAK)
    assert check("--write-baseline", "b.json") == 1
    assert check("--baseline", "b.json", "--json", "a.json") == 0
    assert "LEAK, ACCEPTED  shop:app" in capsys.readouterr().out
    plain = json.loads((tmp_path / "a.json").read_text())
    assert (plain["verdict"], plain["accepted"]) == ("leak", True)
    accepted = json.loads((tmp_path / "b.json").read_text())
    accepted["accepted"][0]["expires"] = "2020-01-31"
    (tmp_path / "b.json").write_text(json.dumps(accepted))
    assert check("--baseline", "b.json") == 1
    assert "expired: was accepted until 2020-01-31 (TODO)" in capsys.readouterr().out


def test_a_leak_that_is_not_in_the_baseline_fails(answers, capsys, tmp_path):
    (tmp_path / "b.json").write_text('{"schema": "labserver.baseline/1", "accepted": []}')
    answers(LEAK)
    assert check("--baseline", "b.json") == 1
    assert "new: the baseline does not accept it" in capsys.readouterr().out


def test_where_nothing_leaks_no_baseline_is_written(answers, capsys, tmp_path):
    answers(CheckResult("shop:app", Verdict.NO_LEAK, INTERVAL, 2560, "both", 100, 1.0, 0))
    assert check("--write-baseline", "b.json") == 0
    assert "b.json was not written: there is no leak to accept" in capsys.readouterr().err
    assert not (tmp_path / "b.json").exists()


def test_what_cannot_run_is_125_and_still_leaves_its_files(answers, capsys, tmp_path):
    answers(CannotRun("The printer is on fire."))
    assert check("--json", "a.json", "--junit", "a.xml", "--html", "a.html", "--quiet") == 125
    assert capsys.readouterr() == ("", "labserver: The printer is on fire.\n")
    plain = json.loads((tmp_path / "a.json").read_text())
    assert (plain["verdict"], plain["notes"]) == ("inconclusive", ["The printer is on fire."])
    assert "The printer is on fire." in (tmp_path / "a.xml").read_text()
    assert "The printer is on fire." in (tmp_path / "a.html").read_text()


def test_where_every_job_failed_the_answer_and_the_output_are_told(answers, capsys, tmp_path):
    answer = Answer(500, "INTERNAL SERVER ERROR", 17, "no such <b>table")
    answers(JobsFailed(FailedKind.EVERY, Failure("GET /work answered 500", answer, ("KeyError: 'DSN'",))))
    assert check("--json", "a.json", "--junit", "a.xml", "--html", "a.html", "--quiet") == 125
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("labserver: Every job failed: GET /work answered 500.\n")
    plain = json.loads((tmp_path / "a.json").read_text())
    assert (plain["jobs"], plain["errors"]) == (40, 40)
    assert plain["failure"] == {
        "why": "GET /work answered 500",
        "answer": {"status": 500, "reason": "INTERNAL SERVER ERROR", "bytes": 17, "body": "no such <b>table"},
        "output": ["KeyError: 'DSN'"],
    }
    for text in (err, ET.parse(tmp_path / "a.xml").getroot()[0][0][0].text, (tmp_path / "a.html").read_text()):
        assert "500 INTERNAL SERVER ERROR and 17 bytes" in text
        assert "KeyError: " in text


def test_an_interrupted_check_says_what_it_knew(answers, capsys, tmp_path):
    answers(KeyboardInterrupt())
    assert check("--json", "a.json", "--html", "a.html") == 130
    out = capsys.readouterr().out
    assert out.startswith("INCONCLUSIVE  shop:app grew by 990 to 1,010 B a job (99 %)")
    assert "Interrupted after 40 jobs" in out
    plain = json.loads((tmp_path / "a.json").read_text())
    assert (plain["verdict"], plain["jobs"], plain["bytes_per_job"]["estimate"]) == ("inconclusive", 40, 1000.0)


def test_an_interrupted_check_shows_the_floors_it_has(answers, tmp_path):
    floors = ((0, 0), (50, 10), (100, 5))
    known = replace(LEAK, verdict=Verdict.INCONCLUSIVE, interval=None, floors=floors, holders=(), noted=said("Slow."))
    answers(Interrupted(known))
    assert check("--json", "a.json") == 130
    plain = json.loads((tmp_path / "a.json").read_text())
    assert plain["floors"] == [{"jobs": jobs, "bytes": size} for jobs, size in floors]
    assert (plain["verdict"], plain["jobs"]) == ("inconclusive", 100)
    assert plain["notes"] == ["Slow.", "Interrupted after 100 jobs: what was known so far."]
    assert plain["noted"] == [{"kind": "said", "text": "Slow."}, {"kind": "interrupted", "jobs": 100}]


def test_github_gets_a_summary_and_annotations(answers, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("# before\n")
    answers(LEAK)
    assert check("--quiet") == 1
    assert "\n::error file=shop.py,line=3," in capsys.readouterr().out
    assert (tmp_path / "summary.md").read_text().startswith("# before\n### 🔴 LEAK\n")
    answers(CannotRun("The printer is on fire."))
    assert check("--quiet") == 125
    assert capsys.readouterr().out.startswith("::warning ")
    assert "The printer is on fire." in (tmp_path / "summary.md").read_text()


def test_a_summary_that_cannot_be_written_changes_nothing(answers, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    answers(LEAK)
    assert check("--quiet") == 1
    assert "the job's summary cannot be written" in capsys.readouterr().err


def test_a_device_is_written_into_and_not_replaced(answers, tmp_path):
    import os
    import stat
    import threading

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    answers(LEAK)
    assert check("--json", "pipe", "--quiet") == 1
    reader.join(60)
    assert json.loads(read[0])["verdict"] == "leak"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_full_disk_costs_the_file_and_not_the_answer(answers, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labserver.files.write_text", full)
    answers(LEAK)
    assert check("--json", "a.json", "--quiet") == 2
    out, err = capsys.readouterr()
    assert out.startswith("LEAK  shop:app")
    assert err == "labserver: a.json cannot be written (No space left on device).\n"


def test_a_reader_that_leaves_costs_neither_the_files_nor_the_exit_code(answers, monkeypatch, tmp_path):
    import os
    import sys

    read, write = os.pipe()
    os.close(read)
    answers(CheckResult("shop:app", Verdict.NO_LEAK, INTERVAL, 2560, "both", 100, 1.0, 0))
    with os.fdopen(write, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        assert check("--json", "-", "--junit", "a.xml", "--quiet") == 0
    assert (tmp_path / "a.xml").exists()
