import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from labserver.diagnosis.fact import Note, NoteKind, said
from labserver.diagnosis.result import CheckResult, Finding, NamedHolder
from labserver.diagnosis.verdict import Verdict
from labserver.heap.chain import Link
from labserver.heap.edge import ITEM, VALUE, attribute
from labserver.plugins.pytest_artefacts import Artefact, artefact_of, only_artefacts
from labserver.plugins.pytest_judgement import Answer, Judgement, WhyKind
from labserver.plugins.pytest_settings import FixtureSetup
from labserver.stats.interval import Interval


class Function(SimpleNamespace):
    """Stands for pytest's."""


ITEM_OF_PYTEST = Function(nodeid="test_shop.py::test_buys", name="test_buys", location=("test_shop.py", 6, "test_buys"))
# By their chains: edge and type of each object.
KEPT = [(None, "module", "shop"), ("KEPT", "list", "list"), (ITEM, "bytes", "bytes")]
SESSION_FIXTURE = [(None, "module", "(fixtures)"), ("store", "dict", "dict"), (VALUE, "list", "list")]
DYNAMIC_FIXTURE = [
    (None, "module", "_pytest.runner"),
    ("session", "Session", "Session"),
    ("fixture", "FixtureDef", "FixtureDef"),
    ("cached_result", "tuple", "tuple"),
    (ITEM, "list", "list"),
]
TEST_FIXTURE = [
    (None, "module", "_pytest.assertion.util"),
    ("_reprcompare", "function", "callback"),
    ("item", "Function", "Function"),
    ("funcargs", "dict", "dict"),
    (VALUE, "list", "list"),
]
NOTES = [(None, "module", "_pytest.reports"), ("_notes", "list", "list")]
MOCK = [
    (None, "module", "(fixtures)"),
    ("mailer", "MagicMock", "MagicMock"),
    ("method_calls", "_CallList", "_CallList"),
    (ITEM, "_Call", "_Call"),
]
# An application may well have a class of that name, and a mock that holds more than its calls.
MOCKED_STORE = [(None, "module", "shop"), ("store", "MagicMock", "MagicMock"), ("kept", "list", "list")]


def holder(chain, growth_bytes=600_000, **values):
    links = tuple(Link(attribute(edge) if isinstance(edge, str) else edge, kind, name) for edge, kind, name in chain)
    known = {
        "path": "…",
        "holder": "…",
        "holder_type": "list",
        "buffer_type": "bytes",
        "buffers": 200,
        "retained_bytes": growth_bytes,
        "share_of_growth": 0.9,
        "allocated_at": ("shop.py:3 in buy", "test_shop.py:7 in test_buys"),
        "fingerprint": "0",
        "holder_at": len(links) - 2,
    }
    return NamedHolder(chain=links, growth_bytes=growth_bytes, **(known | values))


def leak(*holders, findings=()):
    grown = sum(one.growth_bytes for one in holders)
    return CheckResult(
        "test_buys",
        Verdict.LEAK,
        Interval(grown / 200, grown / 200 - 30, grown / 200 + 30, 0.99),
        512,
        "both",
        jobs=200,
        seconds=3.2,
        errors=0,
        floors=((0, 1_000_000), (200, 1_000_000 + grown)),
        holders=holders,
        findings=findings,
    )


@pytest.mark.parametrize(
    ("chain", "each", "once"),
    [
        (KEPT, None, None),
        (SESSION_FIXTURE, None, None),
        (DYNAMIC_FIXTURE, None, None),
        (MOCKED_STORE, None, None),
        (MOCK, Artefact.MOCK_CALLS, Artefact.MOCK_CALLS),
        (NOTES, Artefact.PYTEST_KEEPS, Artefact.PYTEST_KEEPS),
        (TEST_FIXTURE, Artefact.PYTEST_KEEPS, Artefact.FIXTURES_ONCE),
    ],
)
def test_an_artefact_is_told_by_the_way_to_it(chain, each, once):
    assert artefact_of(holder(chain), ITEM_OF_PYTEST, FixtureSetup.EACH) is each
    assert artefact_of(holder(chain), ITEM_OF_PYTEST, FixtureSetup.ONCE) is once


def kind_of(result):
    return only_artefacts(result, ITEM_OF_PYTEST, FixtureSetup.EACH)[0]


def test_artefacts_are_all_there_is_only_where_nothing_else_grows_above_the_tolerance():
    calls = holder(MOCK)
    assert kind_of(leak(calls)) is Artefact.MOCK_CALLS
    assert kind_of(leak(holder(KEPT, 90_000), calls)) is Artefact.MOCK_CALLS  # 450 B a run
    assert kind_of(leak(calls, holder(KEPT, 120_000))) is None  # 600 B a run
    assert kind_of(leak(holder(KEPT))) is None
    assert kind_of(leak(calls, findings=(Finding("native", 600.0, (), *said("…")),))) is None
    # What is left of the growth has no name because only the largest holders have one; most of it is none of theirs.
    assert kind_of(leak(calls, findings=(Finding("unexplained", 600.0, (), *said("…")),))) is Artefact.MOCK_CALLS
    assert kind_of(leak(calls, findings=(Finding("unexplained", 9000.0, (), *said("…")),))) is None


def judged(result, setup=FixtureSetup.EACH):
    return Judgement.of_repetition(ITEM_OF_PYTEST, result, setup)


def test_a_judgement_names_the_holder_that_no_repetition_explains():
    judgement = judged(leak(holder(MOCK), holder(KEPT, 300_000)))
    assert (judgement.answer, judgement.holder) == (Answer.LEAK, "shop.KEPT")
    assert judgement.place == ("shop.py", 3)
    quiet = judged(leak(holder(MOCK)))
    assert (quiet.answer, quiet.site, quiet.why.kind) == (Answer.NOT_JUDGED, "", WhyKind.MOCK_CALLS)
    assert quiet.why.arguments == {"holder": "(fixtures).mailer.method_calls"}


def test_a_leak_without_a_line_is_shown_at_the_test():
    assert judged(leak(holder(KEPT, allocated_at=()))).place == ("test_shop.py", 7)
    native = Finding("native", 3000.0, ("shop.py:9 in resize",), *said("…"))
    assert judged(leak(findings=(native,))).place == ("shop.py", 9)


def test_an_undecided_judgement_says_why_and_what_to_run_next():
    noted = (
        Note(NoteKind.MAY_HIDE, {"jobs": 43}),
        Note(NoteKind.UNDECIDED, {"jobs": 200, "reason": "too near"}),
        Note(NoteKind.NEXT, {"option": "--leak-check-tolerance", "value": 128}),
    )
    judgement = judged(replace(leak(), verdict=Verdict.INCONCLUSIVE, noted=noted))
    assert judgement.answer is Answer.INCONCLUSIVE
    told = judgement.why.arguments["text"]
    assert "too near" in told
    assert told.endswith("--leak-check-tolerance 128.")
    assert "may not have shown" not in told


@pytest.mark.parametrize("result", [leak(holder(KEPT)), leak(holder(MOCK)), replace(leak(), verdict=Verdict.NO_LEAK)])
def test_a_judgement_travels_as_json(result):
    judgement = judged(result)
    assert Judgement.from_dict(json.loads(json.dumps(judgement.to_dict()))) == judgement
