import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import save_figure
from labserver.incident.experiments.label import Label
from labserver.incident.postmortem import figure_words, fonts
from labserver.incident.postmortem.i18n.catalogue import Catalogue, figure_labels

SHIFT = re.compile(r'<!-- (?P<words>[^\n]*) -->\s*<g[^>]*translate\((?P<shift>[-\d.]+) 0\)"')

pytestmark = pytest.mark.skipif(fonts.korean() is None, reason="Korean fonts are missing")


def saved(tmp_path, *texts):
    """A figure with a line of text for each (words, alignment), and numbers on its axes."""
    with mpl.rc_context({"svg.hashsalt": "labserver"}):
        figure = Figure(figsize=(4, 3))
        axes = figure.add_subplot()
        axes.plot([0, 50], [0, 1])
        for at, (words, alignment) in enumerate(texts):
            axes.text(25, at / 10, words, ha=alignment)
        return tmp_path / save_figure(figure, tmp_path, "01_any")


def drawn_in_korean(tmp_path, *texts):
    return figure_words.drawing(saved(tmp_path, *texts), Catalogue("ko"))


def test_words_are_put_into_korean_and_the_rest_stays(tmp_path):
    drawing = drawn_in_korean(tmp_path, ("finished jobs", "left"), ("leaky", "left"), ("two\nload", "right"))
    assert figure_words.words_of(drawing) == ["완료된 job", "leaky", "two", "부하"]
    assert "<!-- 50 -->" in drawing


def test_english_figures_stay_as_they_are(tmp_path):
    path = saved(tmp_path, ("finished jobs", "left"))
    assert figure_words.drawing(path, Catalogue("en")) == path.read_text(encoding="utf-8")


def test_without_the_font_a_figure_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "korean", lambda: None)
    assert figure_words.words_of(drawn_in_korean(tmp_path, ("finished jobs", "left"))) == ["finished jobs"]


def test_shorter_words_stay_where_their_alignment_puts_them(tmp_path):
    texts = [("finished jobs", alignment) for alignment in ("left", "center", "right")]
    shifts = [float(found["shift"]) for found in SHIFT.finditer(drawn_in_korean(tmp_path, *texts))]
    left, centre, right = shifts
    assert left == 0
    assert right > 50  # the Korean is shorter by more than half an em
    assert centre == pytest.approx(right / 2, abs=0.1)


def test_the_drawing_is_whole_and_every_glyph_that_it_uses_is_defined(tmp_path):
    drawing = drawn_in_korean(tmp_path, ("finished jobs", "center"), ("jobs", "left"), ("< & leaky", "left"))
    root = ET.fromstring(drawing)
    used = {item.get("{http://www.w3.org/1999/xlink}href") for item in root.iter("{http://www.w3.org/2000/svg}use")}
    assert used
    assert used <= {f"#{item.get('id')}" for item in root.iter()}
    assert "< & leaky" in figure_words.words_of(drawing)


def test_the_same_drawing_is_made_twice(tmp_path):
    assert drawn_in_korean(tmp_path, ("load", "left")) == drawn_in_korean(tmp_path, ("load", "left"))


def test_the_font_has_every_letter_of_the_catalogue():
    from matplotlib.ft2font import FT2Font

    letters = {letter for texts in figure_labels().values() for letter in texts["ko"]} - set("{}")
    assert sorted(letter for letter in letters if ord(letter) not in FT2Font(str(fonts.korean())).get_charmap()) == []


def test_a_line_takes_its_arguments_along(tmp_path):
    floors = "{store} floors: {rate:,.1f} kB/job ({low:,.1f} to {high:,.1f})"
    drawing = drawn_in_korean(
        tmp_path,
        (Label(floors, store="leaky", rate=-0.14, low=-1188.2, high=188.04), "left"),
        (Label("the last results\nare {seconds:g} s old: one TTL", seconds=3.0), "right"),
        (Label("byte-budget, {share:.1%} refused", share=0.05), "left"),
        (Label("{size} in {blocks:,} blocks", size="9.0 MiB", blocks=1050), "left"),
    )
    assert figure_words.words_of(drawing) == [
        "leaky 기저: -0.1 kB/job (-1,188.2 ~ 188.0)",
        "마지막 결과가",
        "3초 경과: TTL 한 번",
        "byte-budget, 거절 5.0%",
        "9.0 MiB, 블록 1,050개",
    ]


def test_a_line_is_known_by_its_form_alone(tmp_path):
    saved_before = saved(tmp_path, ("4 threads", "left"), ("load", "left"), (Label("{count} threads", count=8), "left"))
    assert figure_words.words_of(figure_words.drawing(saved_before, Catalogue("ko"))) == [
        "4 threads",
        "부하",
        "스레드 8개",
    ]
    unknown = saved(tmp_path, (Label("{count} strings", count=8), "left"))
    assert figure_words.words_of(figure_words.drawing(unknown, Catalogue("ko"))) == ["8 strings"]
