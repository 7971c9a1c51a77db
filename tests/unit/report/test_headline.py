from dataclasses import replace

from labserver.diagnosis.fact import Note, NoteKind, Reason, ReasonKind, said
from labserver.report.headline import headline, native_sentence, reason
from labserver.stats.interval import Interval


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


def test_native_memory_is_no_second_headline(leak):
    assert native_sentence(leak) == "Beyond Python's objects the process keeps 12 B of every job (−300 to 320, 99 %)."
    assert native_sentence(replace(leak, meter="native")) == ""
    assert native_sentence(replace(leak, native=None)) == ""


def test_what_was_given_back_is_not_kept(leak):
    given_back = replace(leak, native=Interval(-158.0, -174.0, -143.0, 0.99))
    assert native_sentence(given_back) == (
        "Beyond Python's objects the process gave back 158 B with every job (143 to 174, 99 %)."
    )
