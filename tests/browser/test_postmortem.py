"""The write-up of the reference run in a real browser: how long it is, where it wraps, and who can read it."""

import shutil
from pathlib import Path

import pytest

from labserver.incident.postmortem import fonts
from labserver.incident.postmortem.export import write_postmortem

REFERENCE = Path(__file__).parents[2] / "outputs" / "reference"
SCREEN_PX = 900
MOST_SCREENS = 20


@pytest.fixture(scope="module", params=["en", "ko"])
def page(request, tmp_path_factory):
    """The file of the page, of a run that has a narrow variant of one figure and of no other."""
    if request.param == "ko" and fonts.korean() is None:
        pytest.skip("Korean fonts are missing")
    run = tmp_path_factory.mktemp("run")
    shutil.copy(REFERENCE / "findings.json", run)
    shutil.copytree(REFERENCE / "figures", run / "figures")
    (run / "figures" / "narrow").mkdir(exist_ok=True)
    narrow = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 277 200"><text x="9" y="99">narrow</text></svg>'
    (run / "figures" / "narrow" / "04_both_modes.svg").write_text(narrow, encoding="utf-8")
    return write_postmortem(run, ["html"], language=request.param)[0]


@pytest.fixture
def show(browser, page):
    """Open the page; see that it asks nobody for anything and meets no error."""
    said, contexts = [], []

    def open_page(width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": SCREEN_PX}, bypass_csp=True, **options)
        contexts.append(context)
        context.on("request", lambda request: said.append(request.url))
        opened = context.new_page()
        opened.on("console", lambda message: said.append(message.text))
        opened.goto(page.as_uri())
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert {url for url in said if not url.startswith("data:")} == {page.as_uri()}


def unfold(page):
    page.evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")


def test_it_is_not_long_and_what_changed_comes_first(show):
    page = show()
    assert page.evaluate("document.documentElement.scrollHeight") <= MOST_SCREENS * SCREEN_PX
    headings = page.evaluate("[...document.querySelectorAll('h2')].map((heading) => heading.id)")
    assert headings[:3] == ["summary", "answers", "contents"]
    assert page.evaluate("document.querySelectorAll('details[open]').length") == 0


@pytest.mark.parametrize("width", [1280, 400])
def test_only_tables_listings_and_wide_figures_scroll_sideways(show, width):
    page = show(width)
    for look in (lambda _: None, unfold):
        look(page)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        # Give or take the padding of code.
        wide = page.evaluate(
            """() => [...document.querySelectorAll("main *")]
              .filter((one) => one.scrollWidth > one.clientWidth + 6 && getComputedStyle(one).display !== "inline")
              .filter((one) => !one.closest(".table, pre, .wide")).map((one) => one.outerHTML.slice(0, 99))"""
        )
        assert wide == []


def test_identifiers_wrap_at_their_seams_and_nowhere_else(show):
    page = show(400)
    unfold(page)
    lines = page.evaluate(
        """() => [...document.querySelectorAll("section p > code, section li > code")].flatMap((code) => {
          const lines = [];
          const walk = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) for (let at = 0; at < walk.currentNode.length; at += 1) {
            const range = document.createRange();
            range.setStart(walk.currentNode, at);
            range.setEnd(walk.currentNode, at + 1);
            const [box] = range.getClientRects();
            if (!box) continue;
            if (lines.at(-1)?.top !== box.top) lines.push({ top: box.top, text: "" });
            lines.at(-1).text += range.toString();
          }
          return lines.slice(0, -1).map(({ text }) => text);
        })"""
    )
    assert len(lines) >= 5
    assert [line for line in lines if line[-1] not in "._/:→ -" and not line[-1].isspace()] == []


def test_the_columns_of_a_wide_table_stay_readable_in_a_narrow_window(show):
    page = show(400)
    unfold(page)
    narrowest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('.columns-4 th, .columns-5 th')].map((cell) => cell.clientWidth))"
    )
    assert narrowest >= 40


def test_a_figure_is_legible_in_a_narrow_window(show):
    page = show(400)
    page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
    shown = page.evaluate("[...document.images].map((image) => [image.currentSrc.length, image.clientWidth])")
    (narrow,) = [width for length, width in shown if length < 1000]
    assert narrow <= 400 - 2 * 16
    assert min(width for length, width in shown if length >= 1000) >= 600  # those scroll
    wide = show(1280)
    wide.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
    assert wide.evaluate("Math.min(...[...document.images].map((image) => image.currentSrc.length))") > 1000


def test_figures_are_dark_in_the_dark(show):
    filtered = "getComputedStyle(document.querySelector('figure img')).filter"
    page = show(color_scheme="dark")
    paper = page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor")
    assert all(int(tone) < 64 for tone in paper.removeprefix("rgb(").removesuffix(")").split(","))
    assert "invert" in page.evaluate(filtered)
    assert show(color_scheme="light").evaluate(filtered) == "none"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_no_violation(show, axe, width, scheme):
    page = show(width, color_scheme=scheme)
    assert axe(page) == []
    unfold(page)
    assert axe(page) == []
