from dataclasses import replace

import pytest

from labserver.heap.heap_growth import TypeChange
from labserver.report.contents import rows_of, table_of, what_came
from labserver.report.html import html_of
from labserver.report.terminal import render


@pytest.fixture
def sessions(leak):
    """A holder of 400 sessions of 2 KiB each."""
    (holder,) = leak.holders
    return replace(
        holder,
        item_type="Session",
        items=400,
        item_bytes=819_200,
        growth_bytes=860_000,
        contents=(
            TypeChange("bytes", 400, 0, 600_000),
            TypeChange("dict", 4450, 50, 150_000),
            TypeChange("Session", 402, 2, 69_200),
            TypeChange("str", 800, 0, 40_000),
        ),
    )


def test_items_are_told_with_their_weight_and_what_most_of_it_is(sessions):
    assert what_came(sessions) == "400 × Session, 2.0 KiB each (400 bytes, 4,400 dict, …)"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"item_type": None}, "240 × bytes"),
        ({"items": 0}, "240 × bytes"),
        ({"items": -3}, "240 × bytes"),
        ({"item_bytes": None}, "400 × Session"),
        ({"contents": ()}, "400 × Session, 2.0 KiB each"),
        ({"items": 1}, "1 × Session, 800.0 KiB (400 bytes, 4,400 dict, …)"),
    ],
)
def test_what_nobody_told_is_left_out(sessions, changes, words):
    assert what_came(replace(sessions, **changes)) == words


def test_what_went_or_what_items_alone_are_is_not_what_they_consist_of(sessions):
    gone = (*sessions.contents[:1], TypeChange("dict", 3, 9, -500), TypeChange("list", 0, 0, 8000))
    assert what_came(replace(sessions, contents=gone)).endswith("(400 bytes)")
    plain = replace(sessions, item_type="bytes", item_bytes=600_000)
    assert what_came(plain) == "400 × bytes, 1.5 KiB each"


def test_the_pairs_that_items_stand_in_are_no_part_of_them(sessions):
    pair, item, end = (replace(sessions.chain[3], type=kind) for kind in ("tuple", "Session", "bytes"))
    rows = (*sessions.contents[:1], TypeChange("tuple", 400, 0, 25_600))
    paired = replace(sessions, chain=(*sessions.chain[:3], pair, item, end), contents=rows)
    assert what_came(paired) == "400 × Session, 2.0 KiB each (400 bytes)"
    assert what_came(replace(sessions, contents=rows)) == "400 × Session, 2.0 KiB each (400 bytes, 400 tuple)"


def test_the_rows_add_up_to_the_growth(sessions):
    rows = rows_of(sessions)
    assert [row.type for row in rows] == ["bytes", "dict", "Session", "str", "other types"]
    assert sum(row.bytes for row in rows) == sessions.growth_bytes
    assert rows[1].cells == ("4,450", "50", "4,400", "150,000")
    assert rows[-1].cells == ("–", "–", "–", "800")
    whole = replace(sessions, growth_bytes=859_200)
    assert [row.type for row in rows_of(whole)] == ["bytes", "dict", "Session", "str"]


def test_many_types_take_few_rows(sessions):
    many = replace(sessions, contents=tuple(TypeChange(f"T{n}", 9, 0, 900) for n in range(20)), growth_bytes=18_000)
    rows = rows_of(many)
    assert len(rows) == 8
    assert sum(row.bytes for row in rows) == 18_000


def test_the_table_cannot_be_written_into(sessions):
    evil = replace(sessions, contents=(TypeChange("<script>", 1, 0, 860_000),))
    assert "<script>" not in table_of(evil)
    assert "&lt;script&gt;" in table_of(evil)


def test_without_types_there_is_no_table(leak):
    assert table_of(leak.holders[0]) == ""


def test_the_page_shows_items_in_words_in_the_chain_and_by_type(leak, sessions):
    links = (*sessions.chain[:3], replace(sessions.chain[3], type="Session"), sessions.chain[3])
    shown = replace(leak, holders=(replace(sessions, chain=links),))
    page = render(shown)
    assert "400 × Session, 2.0 KiB each (400 bytes, 4,400 dict, …)" in " ".join(page.split())
    assert "   ├─ Session × 400\n" in page
    html = html_of(shown)
    assert "<strong>400 × Session, 2.0 KiB each (400 bytes, 4,400 dict, …)</strong>" in html
    assert "Session × 400</span>" in html
    assert '<th scope="row">dict</th><td>4,450</td><td>50</td><td>4,400</td><td>150,000</td>' in html
