"""The floors as a drawing: for wide windows and narrow ones, and no line where none was laid."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from labserver.diagnosis.fact import Note, NoteKind
from labserver.report.curve import NARROW, WIDE, curve_of, is_fitted
from labserver.report.html import html_of

SVG = "{http://www.w3.org/2000/svg}"
GLYPH_PX = 7.5  # of 12 px, the widest digits


def drawn(result, place):
    return ET.fromstring(curve_of(result, place).replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))


@pytest.mark.parametrize("place", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("last", [400, 9_999, 10_000, 1_000_000])
def test_no_number_is_cut_off(leak, place, last):
    floors = tuple((last * at // 8, 20_000_000 + 6_003_702 * at) for at in range(9))
    for text in drawn(replace(leak, floors=floors), place).iter(f"{SVG}text"):
        x, wide = float(text.get("x")), len(text.text) * GLYPH_PX
        before = {"end": wide, "middle": wide / 2}[text.get("text-anchor")]
        assert x - before >= 0, text.text
        assert x - before + wide <= place.width, text.text


def test_the_narrow_drawing_has_all_floors_and_fewer_numbers(leak):
    wide, narrow = (drawn(leak, place) for place in (WIDE, NARROW))
    assert len(list(narrow.iter(f"{SVG}circle"))) == len(list(wide.iter(f"{SVG}circle"))) == len(leak.floors)
    assert len(list(narrow.iter(f"{SVG}text"))) < len(list(wide.iter(f"{SVG}text")))


def test_two_drawings_on_a_page_have_parts_of_their_own(leak):
    ids = re.findall(r' id="([^"]+)"', html_of(leak))
    assert len(ids) == len(set(ids))
    assert len(re.findall("<clipPath", html_of(leak))) == 2


def test_no_line_is_laid_through_floors_that_hold_what_is_let_go_of(clean):
    note = Note(NoteKind.LETS_GO, {"path": "module shop → CACHE", "most": 1800})
    sawtooth = replace(clean, noted=(note,))
    assert is_fitted(clean)
    assert not is_fitted(sawtooth)
    assert 'class="fit"' not in curve_of(sawtooth)
    assert len(re.findall("<circle", curve_of(sawtooth))) == len(clean.floors)
    page = html_of(sawtooth)
    assert "fitted slope" not in page
    assert "no line is laid through them" in page
    assert "fitted slope" in html_of(clean)
