import pytest

from labserver.diagnosis.fact import Fact, Note, NoteKind, Reason, ReasonKind
from labserver.diagnosis.sentences import sentence

ARGUMENTS = {
    "path": "module shop → {STORE}",
    "items": 1200,
    "jobs": 3400,
    "item_bytes": 15_000.4,
    "bound": 9000,
    "floors": 4,
    "least": 9,
    "seconds": 2.6,
}


@pytest.mark.parametrize("kind", [*ReasonKind, *NoteKind], ids=repr)
def test_every_fact_has_words_and_a_note_is_a_sentence(kind):
    said = sentence(Fact(kind, ARGUMENTS))
    assert "{" not in said.replace(ARGUMENTS["path"], "")
    assert said.endswith(".") == isinstance(kind, NoteKind)


def test_a_reason_and_a_note_of_one_name_are_told_apart():
    assert sentence(Reason(ReasonKind.FEW_JOBS)) == "too few jobs were run"
    assert sentence(Note(NoteKind.FEW_JOBS)).startswith("In so few jobs")


def test_figures_are_grouped_and_rounded():
    gained = "module shop → {STORE} gained 1,200 items of 15,000 B in 3,400 jobs."
    assert sentence(Note(NoteKind.GAINED, ARGUMENTS)) == gained
    wait = "memory goes down again within 3 s without load: give --settle 3 or more"
    assert sentence(Reason(ReasonKind.EXPIRES, ARGUMENTS)) == wait
