import pytest

from labserver.diagnosis.fact import Fact, Note, NoteKind, Reason, ReasonKind, said
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
    "failed": 3,
    "share": 0.012,
    "why": "it broke",
    "threads": 7,
    "frames": 10,
    "reason": Reason(ReasonKind.FILLS),
    "text": "As it was said.",
}


@pytest.mark.parametrize("kind", [*ReasonKind, *NoteKind], ids=repr)
def test_every_fact_has_words_and_a_note_is_a_sentence(kind):
    words = sentence(Fact(kind, ARGUMENTS))
    assert "{" not in words.replace(ARGUMENTS["path"], "")
    assert words.endswith(".") == isinstance(kind, NoteKind)


def test_a_reason_and_a_note_of_one_name_are_told_apart():
    assert sentence(Reason(ReasonKind.FEW_JOBS)) == "too few jobs were run"
    assert sentence(Note(NoteKind.FEW_JOBS)).startswith("In so few jobs")


def test_figures_are_grouped_and_rounded():
    gained = "module shop → {STORE} gained 1,200 items of 15,000 B in 3,400 jobs."
    assert sentence(Note(NoteKind.GAINED, ARGUMENTS)) == gained
    failed = "3 of 3400 jobs failed (1.2 %): it broke."
    assert sentence(Note(NoteKind.JOBS_FAILED, ARGUMENTS)) == failed
    wait = "memory goes down again within 3 s without load: give --settle 3 or more"
    assert sentence(Reason(ReasonKind.EXPIRES, ARGUMENTS)) == wait


@pytest.mark.parametrize(("items", "words"), [(1, "1 item by"), (1200, "1,200 items by")])
def test_one_is_not_several(items, words):
    assert words in sentence(Note(NoteKind.MOST_HELD, ARGUMENTS | {"items": items}))


def test_a_fact_may_be_part_of_another():
    undecided = sentence(Note(NoteKind.UNDECIDED, ARGUMENTS))
    assert undecided == "Undecided after 3400 jobs: a cache is filling up to its bound."


def test_what_others_say_is_no_form():
    assert sentence(*said("100 % of {them}")) == "100 % of {them}"
