import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from labserver.incident.experiments.figure import save_figure
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

    letters = {letter for entry in figure_labels() for letter in entry["ko"]} - set("{}")
    assert sorted(letter for letter in letters if ord(letter) not in FT2Font(str(fonts.korean())).get_charmap()) == []


def test_what_a_figure_says_keeps_its_figures():
    labels = Catalogue("ko")
    assert labels.label("leaky floors: 188.1 kB/job (187.9 to 188.2)") == "leaky 기저: 188.1 kB/job (187.9 ~ 188.2)"
    assert labels.label("9.0 MiB in 50 blocks") == "9.0 MiB, 블록 50개"
    assert labels.label("something else") is None
