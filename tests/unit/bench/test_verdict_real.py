"""When a check of a real server is right: verdict, interval, item, holder and line."""

import json

import click
import pytest
from click.testing import CliRunner

FRAMES = ["kept.append(bytes(1024))", "answer() of serve.py"]


@pytest.fixture(scope="module")
def real(bench):
    return bench("verdict_real")


@pytest.fixture
def truth(real):
    return real.Truth("leak", 1080, give=0.02, item="bytes|bytearray", holder="kept", line=("kept.append(",))


def row(verdict="leak", *, low=1060.0, high=1100.0, item="bytes", path="module leaky → kept → […]", **changes):
    holder = {"path": path, "item_type": item, "lines": FRAMES}
    told = {"bytes_per_job": {"estimate": 1080.0, "low": low, "high": high}, "holders": [holder], "findings": []}
    return {"kind": "leaky", "mode": "buffers", "verdict": verdict, "jobs": 400, "seconds": 12.0} | told | changes


def test_an_interval_covers_what_is_within_the_give(real, truth):
    assert real.covers(row(), truth)
    assert real.covers(row(low=1000.0, high=1060.0), truth)
    assert real.covers(row(low=1101.0, high=1200.0), truth)
    assert not real.covers(row(low=1000.0, high=1057.0), truth)
    assert not real.covers(row(low=1103.0, high=1200.0), truth)


def test_what_is_not_told_is_not_counted(real, truth):
    assert real.covers(row(bytes_per_job=None), truth) is None
    plain = real.Truth("leak")
    assert [judge(row(), plain) for judge in real.JUDGED.values()] == [None] * 4
    assert real.share([row()], {"leaky:buffers": plain}, real.has_item) == (0, 0)


@pytest.mark.parametrize(("item", "right"), [("bytes", True), ("bytearray", True), ("dict", False), ("bytes2", False)])
def test_the_item_is_the_first_holders(real, truth, item, right):
    assert real.has_item(row(item=item), truth) is right


def test_the_holder_is_the_first_ones_path_or_the_finding_that_leads(real, truth):
    assert real.has_holder(row(), truth)
    other = {"path": "module other → cache", "item_type": "bytes", "lines": []}
    assert not real.has_holder(row(holders=[other, *row()["holders"]]), truth)
    assert real.has_holder(row(holders=[], findings=[{"text": "4 kept", "item_type": "", "lines": []}]), truth)
    assert not real.has_holder(row(holders=[]), truth)


def test_what_is_folded_under_the_leading_finding_counts_as_leading(real, truth):
    threads = {"text": "100 threads still run", "item_type": "", "lines": [], "holders": row()["holders"]}
    assert real.has_item(row(holders=[], findings=[threads]), truth)
    assert real.has_holder(row(holders=[], findings=[threads]), truth)
    assert real.has_line(row(holders=[], findings=[threads]), truth)
    later = {**threads, "holders": []}
    assert not real.has_holder(row(holders=[], findings=[later, threads]), truth)


def test_the_line_is_one_of_the_frames(real, truth):
    assert real.has_line(row(), truth)
    assert not real.has_line(row(holders=[{"path": "", "item_type": "", "lines": FRAMES[1:]}]), truth)


def test_a_frame_is_told_by_the_text_of_its_line(real):
    lines = (real.MODES / "leaky.py").read_text(encoding="utf-8").splitlines()
    number = next(
        place for place, line in enumerate(lines, 1) if "kept.append(bytes(1024))" in line and "@" not in line
    )
    assert "kept.append(bytes(1024))" in real.line_of(f"leaky.py:{number} in buffers.<locals>.<lambda>")
    assert real.line_of("site-packages/flask/app.py:3 in run") == "site-packages/flask/app.py:3 in run"


def test_an_older_answer_tells_the_heaviest_type_as_the_item(real):
    old = real.named({"path": "a", "buffer_type": "bytes", "buffers": 3, "allocated_at": []})
    assert (old["item_type"], old["items"]) == ("bytes", 3)
    finding = real.named({"text": "a", "told": {"type": "Order", "items": 4}, "allocated_at": []})
    assert (finding["item_type"], finding["items"]) == ("Order", 4)
    owner = real.named({"text": "a", "told": {"owner": {"type": "Stream", "items": 5}}, "allocated_at": []})
    assert (owner["item_type"], owner["items"]) == ("Stream", 5)
    assert real.named({"text": "a", "told": {"owner": ""}, "allocated_at": []})["item_type"] == ""
    new = real.named({"path": "a", "buffer_type": "bytes", "buffers": 3, "item_type": "Session", "items": 1})
    assert (new["item_type"], new["items"]) == ("Session", 1)


def test_the_summary_counts_what_is_wrong(real, truth):
    truths = {
        "leaky:buffers": truth,
        "leaky:rare": real.Truth("leak", 150),
        "clean:lru": real.Truth("no-leak"),
        "clean:slow": real.Truth("no-leak", may_be_undecided=True),
    }
    clean = {"kind": "clean", "mode": "lru", "holders": []}
    rows = [
        row(),
        row(seconds=91.0, item="dict"),
        row("no-leak"),
        row(mode="rare", bytes_per_job=None),
        row("leak", **clean),
        row("inconclusive", **clean),
        row("no-leak", **clean),
        row("inconclusive", **clean | {"mode": "slow"}),
        row(None, **clean | {"mode": "slow"}),
    ]
    text = real.summary(rows, truths | {"clean:unchecked": real.Truth("no-leak")})
    assert "It rests on 9 checks of 4 of the 5 servers" in text
    assert "3 checks of clean servers: 1 false LEAK, 1 of 3 (33.3%) undecided" in text
    assert "2 of clean ones that nobody can tell in the jobs of a check: 0 false LEAK, 1 undecided" in text
    assert "3 checks of servers that leak twice the tolerance or more: 2 LEAK, 1 of them within 90 s" in text
    assert "1 false NO LEAK. 1 of servers that leak less: 1 LEAK" in text
    assert "cover what is right 2 of 2 (100.0%); the right item 1 of 2 (50.0%)" in text
    assert "1 checks ended without a result" in text


def test_the_table_has_a_line_for_each_server(real, truth):
    rows = [row(), row("no-leak"), row("inconclusive", kind="clean", mode="lru", bytes_per_job=None)]
    lines = real.table(rows, {"leaky:buffers": truth, "clean:lru": real.Truth("no-leak")}).splitlines()
    assert (
        lines[2]
        == "| leaky:buffers | leak | 2 | 1 | 1 | 0 | 400 | 12.0 | 12.0 | 1,080 | 1,080 | 1/1 | 1/1 | 1/1 | 1/1 |"
    )
    assert lines[3] == "| clean:lru | no-leak | 1 | 0 | 0 | 1 | 400 | 12.0 | 12.0 | – |  |  |  |  |  |"


def test_modes_are_chosen_by_kind_by_name_or_by_wildcard(real):
    modes = real.every_mode()
    assert set(real.chosen(modes, ("pools",))) == {name for name in modes if name.startswith("pools:")}
    both = {"clean:lru", "leaky:malloc", "leaky:maps", "leaky:mapping"}
    assert set(real.chosen(modes, ("clean:lru", "leaky:m*"))) == both
    with pytest.raises(click.BadParameter, match="no mode is called nothing"):
        real.chosen(modes, ("clean", "nothing"))


def test_the_table_of_what_is_done_is_written_without_a_check(real, tmp_path, monkeypatch):
    monkeypatch.setattr(real, "one", lambda *_: pytest.fail("a server is checked"))
    out, markdown = tmp_path / "rows.jsonl", tmp_path / "verdict.md"
    rows = [row(seed=0, seconds=30.0), row(seed=0, seconds=12.0), row(seed=7)]
    out.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    done = CliRunner().invoke(real.main, ["--no-checks", "--out", str(out), "--markdown", str(markdown)])
    assert done.exit_code == 0
    text = markdown.read_text(encoding="utf-8")
    assert "It rests on 1 checks of 1 of the" in text
    assert "| leaky:buffers | leak | 1 | 1 | 0 | 0 | 400 | 12.0 |" in text
