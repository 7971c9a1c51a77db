"""The page as readers with and without eyes get it."""

import base64
import io
import itertools
import re
import zlib
from html.parser import HTMLParser

import pytest
from fontTools.ttLib import TTFont

from labserver.heap.chain import Chain
from labserver.incident.experiments.figure import save_figure
from labserver.incident.experiments.leak.figures import chain_picture
from labserver.incident.postmortem import fonts, pdf
from labserver.incident.postmortem.page import page_of
from labserver.incident.postmortem.writeup import APPENDICES, SECTIONS, Writeup
from labserver.suite.bound import says
from labserver.suite.findings import Findings

VOID = {"meta", "img", "br", "hr", "link", "input", "wbr", "source"}


class Tags(HTMLParser):
    """Every element with its attributes in order of opening, and the elements that were left open or closed wrongly."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.wrong = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def of(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def made_run(folder):
    """A run with a figure and one finding, whose text would be markup if nobody escaped it."""
    figure = chain_picture(Chain(()), title="Growth by allocation site")
    save_figure(figure, folder, "02_heap_over_time")
    findings = Findings(folder, "02_reproduce_the_leak")
    findings.record("verdict", "<script>alert(1)</script>", holds=True, bound=says("leak"))
    return folder


@pytest.fixture
def run(tmp_path):
    return made_run(tmp_path)


@pytest.fixture(scope="module", params=["en", "ko"])
def page(request, tmp_path_factory):
    run = made_run(tmp_path_factory.mktemp("run"))
    return page_of(Writeup(run, request.param), run)


def test_it_is_well_formed_and_says_its_language(page):
    tags = Tags(page)
    assert (tags.open, tags.wrong) == ([], [])
    assert tags.of("html")[0]["lang"] in {"en", "ko"}
    assert len(re.findall("<title>[^<]+</title>", page)) == 1


def test_headings_descend_one_step_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in Tags(page).tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_table_has_headers_with_a_scope_and_can_be_scrolled_by_key(page):
    tags = Tags(page)
    assert {attributes.get("scope") for attributes in tags.of("th")} == {"col"}
    regions = [attributes for attributes in tags.of("div") if attributes.get("class") == "table"]
    ids = {attributes["id"] for _, attributes in tags.tags if "id" in attributes}
    assert len(regions) == len(tags.of("table")) > 5
    assert all(region["tabindex"] == "0" and region["aria-labelledby"] in ids for region in regions)


def test_the_contents_lead_to_every_section(page):
    tags = Tags(page)
    ids = [attributes["id"] for _, attributes in tags.tags if "id" in attributes]
    targets = [attributes["href"].removeprefix("#") for attributes in tags.of("a")]
    assert len(ids) == len(set(ids))
    assert len(targets) == len(SECTIONS)
    assert set(targets) <= set(ids)


def test_a_figure_is_part_of_the_page_and_its_words_are_told(run):
    (image,) = Tags(page_of(Writeup(run), run)).of("img")
    assert image["src"].startswith("data:image/svg+xml;base64,")
    assert image["alt"] == "The words in the figure: Growth by allocation site."


def test_a_figure_has_its_narrow_variant_on_the_page_and_not_on_paper(run):
    (source,) = Tags(page_of(Writeup(run), run)).of("source")
    drawing = base64.b64decode(source["srcset"].rpartition(",")[2])
    assert source["media"] == "(max-width: 40rem)"
    assert drawing == (run / "figures" / "narrow" / "02_heap_over_time.svg").read_bytes()
    assert not Tags(page_of(Writeup(run), run, printed=True)).of("source")


def test_a_figure_without_a_narrow_variant_can_be_scrolled_by_key(run):
    (run / "figures" / "narrow" / "02_heap_over_time.svg").unlink()
    tags = Tags(page_of(Writeup(run), run))
    (scrolled,) = [attributes for attributes in tags.of("div") if attributes.get("class") == "wide"]
    assert scrolled["tabindex"] == "0"
    assert scrolled["aria-label"].startswith("The leaky server's traced heap in time")
    assert not tags.of("source")


def test_a_figure_is_told_in_korean(run):
    (image,) = Tags(page_of(Writeup(run, "ko"), run)).of("img")
    assert image["alt"] == "그림 속 글자: 할당 위치별 증가량."


def test_nothing_is_fetched_and_nothing_of_a_finding_is_markup(page):
    assert not Tags(page).of("script")
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", page)
    assert not re.search(r"""@import|url\((?!"data:)""", page)


def test_a_number_and_its_unit_stay_together(run):
    findings = Findings(run, "03_trace_the_bytes")
    findings.record("share_of_growth", 0.991, holds=True, bound=says("none"))
    for name in ("buffers", "holder", "allocated_at"):
        findings.record(name, 7, holds=True)
    assert "holds 99.1\N{NO-BREAK SPACE}% of the growth" in page_of(Writeup(run), run)


def test_a_korean_page_brings_its_letters_and_no_others(run):
    if fonts.korean() is None:
        pytest.skip("Korean fonts are missing")
    page = page_of(Writeup(run, "ko"), run)
    found = re.findall(r'font-family: "Hangul"; font-weight: (\w+);.*?base64,([^"]+)"', page)
    assert [weight for weight, _ in found] == ["normal", "bold"]
    for _, content in found:
        letters = TTFont(io.BytesIO(base64.b64decode(content))).getBestCmap()
        assert ord("누") in letters
        assert len(letters) < 700
    assert page == page_of(Writeup(run, "ko"), run)
    assert 'Hangul"; font-weight' not in page_of(Writeup(run, "en"), run)


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("paper", ["--paper", "--card", "--code", "--quote", "--failed"])
@pytest.mark.parametrize("ink", ["--ink", "--soft", "--accent"])
def test_words_have_enough_contrast_on_every_paper(page, ink, paper, scheme):
    colours = [re.findall(rf"{name}: (#\w{{6}})", page)[scheme] for name in (ink, paper)]
    light, dark = sorted(map(luminance, colours), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_what_changed_comes_first_and_the_appendices_are_folded(page):
    parts = re.findall(r"<section class=\"(\w+)\">|<(nav|details)", page)
    order = [section or tag for section, tag in parts]
    assert order[:4] == ["summary", "answers", "nav", "background"]
    assert [before for before, after in itertools.pairwise(order) if after == "details"] == list(APPENDICES)
    assert order.count("details") == len(APPENDICES)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_pdf_says_its_title_and_language_and_is_tagged(run, tmp_path, language):
    if pdf.why_not(language):
        pytest.skip(pdf.why_not(language))
    writeup, path = Writeup(run, language), tmp_path / "any.pdf"
    pdf.write_pdf(page_of(writeup, run, printed=True), path, language)
    objects = b"".join(map(inflated, re.findall(rb"stream\n(.*?)\nendstream", path.read_bytes(), re.DOTALL)))
    assert f"/Lang ({language})".encode() in objects
    assert b"/MarkInfo" in objects
    assert b"/Title" in objects


def inflated(stream):
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""
