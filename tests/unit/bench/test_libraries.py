"""When the answers beside a library count as right."""

import importlib.util
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def libraries():
    spec = importlib.util.spec_from_file_location("libraries", BENCH / "libraries.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def recipe(libraries):
    return libraries.Recipe("shapes", ("shapes",), "C threads")


@pytest.fixture
def leaky(libraries):
    return libraries.Check(1, "leak", ("module using.pair → STORE → […] → Shape.points", "module shapes → CACHE"))


@pytest.fixture
def clean(libraries):
    return libraries.Check(0, "no-leak")


def test_a_leak_in_the_store_and_none_beside_it_are_right(libraries, recipe, leaky, clean):
    assert libraries.judge(recipe, leaky, clean) == libraries.RIGHT


def test_a_clean_application_may_stay_undecided(libraries, recipe, leaky, clean):
    undecided = replace(clean, code=125, verdict="inconclusive")
    assert libraries.judge(recipe, leaky, undecided) == libraries.UNDECIDED


@pytest.mark.parametrize(
    "changes",
    [
        {"code": 0, "verdict": "no-leak"},
        {"code": 125, "verdict": "inconclusive"},
        {"code": 0},
        {"holders": ("module shapes → CACHE", "module using.pair → STORE")},
        {"holders": ()},
        {"orphans": 1},
        {"code": 125, "verdict": None, "said": "The application's process died."},
    ],
)
def test_anything_else_of_a_leaky_application_is_wrong(libraries, recipe, leaky, clean, changes):
    assert libraries.judge(recipe, replace(leaky, **changes), clean) == libraries.WRONG


@pytest.mark.parametrize(
    "changes", [{"code": 1, "verdict": "leak"}, {"code": 1}, {"orphans": 1}, {"code": 125, "verdict": None}]
)
def test_anything_else_of_a_clean_application_is_wrong(libraries, recipe, leaky, clean, changes):
    assert libraries.judge(recipe, leaky, replace(clean, **changes)) == libraries.WRONG


def test_a_refusal_is_right_where_it_is_expected_and_says_why(libraries, recipe, leaky):
    refusing = replace(recipe, refused="is patched by shapes")
    refusal = libraries.Check(125, "inconclusive", notes=("The application is patched by shapes.",))
    assert libraries.judge(refusing, refusal, refusal) == libraries.RIGHT
    assert libraries.judge(refusing, replace(refusal, notes=("It died.",)), refusal) == libraries.WRONG
    assert libraries.judge(refusing, replace(refusal, code=2), refusal) == libraries.WRONG
    assert libraries.judge(refusing, leaky, refusal) == libraries.WRONG
    assert libraries.judge(recipe, refusal, refusal) == libraries.WRONG


def test_what_a_short_check_leaves_undecided_is_checked_in_full(libraries, recipe, monkeypatch):
    asked = []

    def check(_, __, ___, *options):
        asked.append(options)
        return libraries.Check(125, "inconclusive", orphans=1) if options else libraries.Check(0, "no-leak")

    monkeypatch.setattr(libraries, "check", check)
    assert libraries.answer(recipe, Path("python"), "clean") == libraries.Check(0, "no-leak", orphans=1, in_full=True)
    assert asked == [("--fast",), ()]
    assert not libraries.answer(replace(recipe, refused="is patched"), Path("python"), "clean").in_full


def test_the_table_says_what_is_not_right_and_why(libraries, leaky, clean):
    same = {"kind": "C threads", "refused": None}
    checks = {"version": "1.2", "leaky": asdict(leaky)}
    unsure = asdict(replace(clean, verdict="inconclusive", in_full=True, notes=("Its memory goes up and down.",)))
    rows = [
        {"library": "shapes", "outcome": "right", "clean": asdict(clean), **same, **checks},
        {"library": "forms", "outcome": "undecided", "clean": unsure, **same, **checks},
        {"library": "figures", "outcome": "not installed", "failure": "No such package.", **same},
    ]
    first, second, third = libraries.table(rows).splitlines()[2:]
    assert first.startswith("| shapes | 1.2 | C threads | leak | `module using.pair → STORE → ")
    assert first.endswith("| no-leak | 0 | right |")
    assert second.endswith("| inconclusive (in full) | 0 | undecided – Its memory goes up and down. |")
    assert third.endswith("| not installed |")
    assert "2 pairs" in libraries.summary(rows)
    assert "1 could not be installed" in libraries.summary(rows)


def test_every_module_says_what_it_needs(libraries):
    files = [file for file in (BENCH / "using").glob("*.py") if file.stem not in libraries.NO_APPLICATIONS]
    assert len(files) > 60
    for file in files:
        assert libraries.Recipe.of(file).kind
