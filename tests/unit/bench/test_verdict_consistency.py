"""Which pages contradict themselves: each rule on a page that breaks it, and on those beside it that do not."""

import json

import pytest
from click.testing import CliRunner


@pytest.fixture(scope="module")
def consistency(bench):
    return bench("verdict_consistency")


def interval(low, high):
    return {"estimate": (low + high) / 2, "low": low, "high": high, "confidence": 0.99}


def holder(path="module shop → KEPT", **changes):
    return {
        "path": path,
        "fingerprint": path,
        "share_of_growth": 0.9,
        "retained_bytes": 400_000,
        "holder_retained_bytes": 500_000,
        "bound": None,
        "items": 400,
        "hint": "entries are added per job and never removed",
        "contents": [{"type": "bytes", "came": 400, "gone": 0, "bytes": 400_000}],
    } | changes


def note(kind, **arguments):
    return {"kind": kind, **arguments}


UNDECIDED = note("undecided", jobs=400, reason={"kind": "spans-tolerance"})
NEXT = note("next", option="--max-jobs", value=9000)


def page(verdict="leak", *, whole=(990.0, 1010.0), **changes):
    """One that is of a piece."""
    grown = 401_000
    return {
        "verdict": verdict,
        "bytes_per_job": None if whole is None else interval(*whole),
        "native_bytes_per_job": interval(-20.0, 30.0),
        "tolerance_bytes_per_job": 256.0,
        "meter": "traced",
        "jobs": 400,
        "errors": 0,
        "growth": {
            "bytes": grown,
            "held_bytes": 400_000,
            "found_bytes": 0,
            "small_bytes": 0,
            "unexplained_bytes": 1000,
            "unexplained_share": 0.0025,
        },
        "holders": [holder()],
        "small_holders": [],
        "findings": [],
        "notes": [],
        "noted": [],
        "floors": [{"jobs": jobs, "bytes": 1_000_000 + 1000 * jobs} for jobs in (0, 200, 400)],
    } | changes


def unsure(whole, *noted, kind="spans-tolerance", **changes):
    return page(
        "inconclusive",
        whole=whole,
        native_bytes_per_job=None,
        noted=[note("undecided", reason={"kind": kind}), *(noted or [NEXT])],
        **changes,
    )


def clean(whole=(-20.0, 35.0), *noted):
    return page("no-leak", whole=whole, native_bytes_per_job=None, noted=list(noted), holders=[])


RISES = note("rises", per_job=110.0, tolerance=256.0)
COUNTED = note("found-by-counting", path="KEPT", items=40, jobs=400, item_bytes=200.0)
LARGE = note("found-by-counting", path="KEPT", items=4, jobs=400, item_bytes=15_000.0)
BOUND = note("challenged", path="KEPT", entries=4000, bytes=4e6)
RIGHT = {
    "a leak": page(),
    "a leak that rests on a count": page(whole=(10.0, 400.0), noted=[COUNTED]),
    "a leak of which each item is more than a job may keep": page(whole=(10.0, 200.0), noted=[LARGE]),
    "no leak": clean(),
    "no leak with a rising line": clean((90.0, 130.0), RISES),
    "undecided around the tolerance": unsure((100.0, 400.0)),
    "undecided near the tolerance": unsure((230.0, 250.0), kind="near-tolerance"),
    "perhaps none": unsure((-100.0, 400.0), kind="may-be-none"),
    "another tolerance": unsure((230.0, 250.0), note("next", option="--tolerance", value=512), kind="near-tolerance"),
    "interrupted": page("inconclusive", whole=None, noted=[note("interrupted")], growth=None, holders=[]),
    "a holder that was challenged": page(holders=[holder(bound=10_000)], noted=[BOUND]),
    "more came than is left": page(
        growth=page()["growth"] | {"held_bytes": 500_000, "unexplained_bytes": -99_000, "unexplained_share": -0.25},
        holders=[holder(), holder("another", share_of_growth=0.4)],
    ),
    "said by a note": unsure((300.0, 400.0), note("most-held"), NEXT, kind="may-be-a-cache", holders=[]),
    "nobody, as no look succeeded": page(holders=[], noted=[note("no-look", why="its process died")]),
}
NATIVE = {"kind": "native", "bytes_per_job": 900.0, "holders": []}
WRONG = {
    "LEAK whose interval covers 0": page(whole=(-5.0, 900.0), noted=[COUNTED]),
    "LEAK whose interval lies below the tolerance": page(whole=(10.0, 200.0), noted=[COUNTED]),
    "LEAK whose interval covers the tolerance": page(whole=(200.0, 900.0)),
    "leak without an interval": page(whole=None),
    "no-leak without an interval": clean() | {"bytes_per_job": None},
    "NO LEAK whose interval is not below the tolerance": clean((-20.0, 300.0)),
    "estimate outside its interval": page(bytes_per_job=interval(990.0, 1010.0) | {"estimate": 1020.0}),
    "native estimate 1,200 above the whole": page(native_bytes_per_job=interval(1190.0, 1210.0), meter="native"),
    "at most 30 B/job": page(meter="native"),
    "beside 890 B/job of native memory": page(native_bytes_per_job=interval(890.0, 910.0)),
    "does not cover": unsure((300.0, 400.0)),
    "none perhaps, with an interval above 0": unsure((5.0, 400.0), kind="may-be-none"),
    "far below it": unsure((-9.0, 30.0), kind="near-tolerance"),
    "at twice of it and more": unsure((600.0, 700.0), kind="near-tolerance"),
    "without a next step": unsure((100.0, 400.0), UNDECIDED),
    "leak, and said to be undecided": page(noted=[UNDECIDED, NEXT]),
    "the interval covers as well": unsure((200.0, 600.0), note("next", option="--tolerance", value=512)),
    "not the sum of its parts": page(growth=page()["growth"] | {"found_bytes": 5000}),
    "more than all of the growth is unexplained": page(growth=page()["growth"] | {"unexplained_share": 1.2}),
    "less than none or more than all": page(holders=[holder(share_of_growth=1.1)]),
    "holders have 180% of the growth": page(holders=[holder(), holder("another")]),
    "of which 600,000 B came": page(holders=[holder(retained_bytes=600_000)]),
    "of which 600,001 B came": page(small_holders=[holder("small", retained_bytes=600_001)]),
    "of which 600,002 B came": page(findings=[NATIVE | {"holders": [holder("b", retained_bytes=600_002)]}]),
    "gained -3 items": page(holders=[holder(items=-3)]),
    "tells of -1 new": page(holders=[holder(contents=[{"type": "bytes", "came": -1, "gone": 0, "bytes": 0}])]),
    "a finding of 1,100 B/job (threads)": page(findings=[NATIVE | {"kind": "threads", "bytes_per_job": 1100.0}]),
    "where at most 30 are native": page(findings=[NATIVE]),
    "LEAK of nobody": page(holders=[]),
    "whose holder nobody names": unsure((300.0, 400.0), kind="may-be-a-cache", holders=[]),
    "leak, and said to grow within the tolerance": page(noted=[RISES]),
    "grow by 300 B a job within 256 B": clean((90.0, 130.0), RISES | {"per_job": 300.0}),
    "filling up perhaps": page(
        holders=[holder(bound=10_000, hint="it may only be filling up: run more")], noted=[BOUND]
    ),
    "declares a bound of 10,000": page(holders=[holder(bound=10_000)]),
    "said twice": page(notes=["Found.", "Found."]),
    "named twice": page(small_holders=[holder()]),
    "500 of 400 jobs failed": page(errors=500),
    "fewer and fewer jobs": page(floors=[{"jobs": 400, "bytes": 1}, {"jobs": 200, "bytes": 1}]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_page_of_a_piece_has_no_contradiction(consistency, name):
    assert consistency.contradictions(RIGHT[name]) == []


@pytest.mark.parametrize("said", WRONG)
def test_a_page_that_contradicts_itself_is_told_how(consistency, said):
    assert any(said in sentence for sentence in consistency.contradictions(WRONG[said]))


def test_every_rule_is_broken_by_a_page(consistency):
    assert {rule.__name__ for rule in consistency.RULES} == {
        rule.__name__ for rule in consistency.RULES for wrong in WRONG.values() if list(rule(wrong))
    }


def test_the_pages_of_a_folder_are_read_and_named(consistency, tmp_path):
    (tmp_path / "leaky.maps.0.json").write_text(json.dumps(WRONG["LEAK of nobody"]), encoding="utf-8")
    (tmp_path / "leaky.rare.0.json").write_text(json.dumps(RIGHT["a leak"]), encoding="utf-8")
    done = CliRunner().invoke(consistency.main, [str(tmp_path)])
    assert done.exit_code == 1
    assert done.output.splitlines() == ["leaky.maps.0: LEAK of nobody", "1 of 2 pages contradict themselves."]
    assert CliRunner().invoke(consistency.main, [str(tmp_path / "leaky.rare.0.json")]).exit_code == 0
