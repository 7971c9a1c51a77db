from dataclasses import replace

from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind, said
from labserver.report.headline import headline, reason


def test_where_nothing_can_be_said_the_reason_is_the_note_that_says_why(nothing):
    why = Note(NoteKind.UNDECIDED, {"jobs": 30, "reason": Reason(ReasonKind.NO_SLOPE, {"floors": 1})})
    noted = (*said("It was read from outside."), why)
    assert reason(replace(nothing, noted=noted)) == (
        "CANNOT SAY  shop:app: Undecided after 30 jobs: a slope needs three floors, and only 1 could be read."
    )
    assert reason(nothing) == "CANNOT SAY  shop:app: shop is not there."
    assert reason(replace(nothing, noted=())) == headline(nothing)


def test_where_there_is_an_interval_it_is_the_reason(clean):
    assert reason(replace(clean, noted=said("It was read from outside."))) == headline(clean)
