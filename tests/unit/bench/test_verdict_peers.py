"""What other tools say counts by the same rules as what ours says."""

import pytest


@pytest.fixture(scope="module")
def peers(bench):
    return bench("verdict_peers")


@pytest.fixture
def truth(peers):
    return peers.Truth("leak", item="User", holder="users", line=("users[name] = User(name)",))


def row(leak, *, mode="buffers", **changes):
    told = {"tool": "tracer", "setting": '{"jobs": 100}', "named": None, "seconds": 2.0}
    return told | {"kind": "leaky" if mode == "buffers" else "clean", "mode": mode, "leak": leak} | changes


@pytest.fixture
def truths(peers):
    return {"leaky:buffers": peers.Truth("leak", holder="kept"), "clean:lru": peers.Truth("no-leak")}


@pytest.mark.parametrize(
    ("types", "text"),
    [(["shop.User"], ""), (["User"], ""), ([], "closure users → dict"), ([], "in users[name] = User(name)")],
)
def test_an_object_is_named_by_its_type_its_holder_or_its_line(peers, truth, types, text):
    assert peers.names_it(truth, types, text)


def test_a_line_is_also_told_by_its_place(peers, truth):
    file = peers.MODES / "late_and_rare.py"
    lines = file.read_text(encoding="utf-8").splitlines()
    place = 1 + next(place for place, line in enumerate(lines) if line.strip() == "users[name] = User(name)")
    assert peers.names_it(truth, [], f"  {file}:{place}  +1 KiB per call")
    assert not peers.names_it(truth, [], f"  {file}:{place - 3}  +1 KiB per call")


def test_another_object_is_not_named(peers, truth):
    assert not peers.names_it(truth, ["dict", "SuperUser"], "module shop → cache")
    assert peers.names_it(peers.Truth("leak", 2064), ["dict"], "anything") is None


def test_a_tool_is_shown_at_its_best(peers, truths):
    few, many = '{"jobs": 100}', '{"jobs": 3000}'
    rows = [
        row(True, setting=few),
        row(True, setting=few, mode="lru"),
        row(True, setting=many, named=True),
        row(False, setting=many, mode="lru"),
        row(None, tool="other"),
    ]
    best = peers.at_best(rows, truths)
    assert best == [*rows[2:4], rows[4]]


def test_the_tables_tell_found_false_and_unanswered(peers, truths):
    rows = [
        row(True, named=True),
        row(True, mode="lru"),
        row(None, tool="other", seconds=180),
        row(False, tool="other", mode="lru"),
    ]
    first, second = peers.overview(rows, truths).splitlines()[2:]
    assert first == "| tracer | jobs=100 | 1 of 1 | 1 of 1 | 1 of 1 | 0 | 2 | 2 |"
    assert second == "| other | jobs=100 | 0 of 1 | 0 of 1 | 0 of 1 | 1 | 91 | 171 |"
    lines = peers.table(rows, truths).splitlines()
    assert lines[2] == "| leaky:buffers | LEAK | LEAK ✓ | **no answer** |"
    assert lines[3] == "| clean:lru | none | **LEAK** | none |"


def test_every_runner_says_what_it_needs_and_tries(peers):
    found = [peers.Peer.of(file) for file in sorted(peers.PEERS.glob("by_*.py"))]
    assert {peer.name for peer in found} == {"python-leak-hunter", "memalot", "pytest-memray", "objgraph.growth"}
    assert all(peer.dependencies and peer.settings for peer in found)


def test_what_is_compared_needs_no_library_and_is_of_both_sorts(peers):
    modes = peers.compared(())
    assert len(modes) >= 30
    assert not [mode.key for mode in modes.values() if mode.dependencies]
    assert sum(mode.truth.verdict == "no-leak" for mode in modes.values()) >= 12
