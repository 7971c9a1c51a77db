"""The page of a check in a real browser: what it draws, for whom, and that it asks nobody for anything."""

import re
from pathlib import Path

import pytest

from labserver.diagnosis.fact import Note, NoteKind
from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.verdict import Verdict
from labserver.heap.frame import Frame
from labserver.heap.heap_growth import Site
from labserver.heap.origin import Origin
from labserver.report.html import html_of
from labserver.stats.interval import Interval

AUDIT = Path(__file__).with_name("audit.js").read_text(encoding="utf-8")
# Every width that a block ever had.
WATCH = """globalThis.widths = new Set();
new MutationObserver((changes) => {
  for (const { target } of changes) if (target.localName === "rect") widths.add(target.getAttribute("width"));
}).observe(document, { subtree: true, attributeFilter: ["width"] });"""
LAYOUT = re.compile("there is not one (header|footer)")  # the audit's other page has these beside its main part

PARSER = Frame("json/decoder.py", 353, "JSONDecoder.raw_decode", Origin.STANDARD)
RENDER = Frame("shop.py", 41, "render", Origin.APPLICATION)
WORK = Frame("shop.py", 20, "work", Origin.APPLICATION)
EVIL = Frame("</script><script>alert(1)</script>.py", 3, "<img src=x onerror=alert(1)>", Origin.LIBRARY)
WSGI = Frame("flask/app.py", 902, "Flask.dispatch_request")


@pytest.fixture
def show(browser, tmp_path):
    """Open a page of a check from its file, and see that it asks nobody else and meets no error."""
    said, contexts = [], []
    sites = (
        Site(700_000, 50, ("shop.py:41 in render",), (RENDER, WORK, WSGI)),
        Site(250_000, 90, ("shop.py:20 in work",), (PARSER, WORK, WSGI)),
        Site(50_000, 10, (str(EVIL),), (EVIL, WSGI)),
    )
    page = html_of(
        CheckResult(
            target="shop:app",
            verdict=Verdict.LEAK,
            interval=Interval(20_000.0, 19_000.0, 21_000.0, 0.99),
            tolerance=256,
            meter="both",
            jobs=240,
            seconds=12.3,
            errors=0,
            floors=tuple((30 * at, 20_000_000 + 600_000 * at) for at in range(9)),
            noted=(Note(NoteKind.LINES_TRACED, {"jobs": 50, "frames": 25}),),
            sites=sites,
        )
    )
    file = tmp_path / "leak.html"
    file.write_text(page, encoding="utf-8")

    def open_page(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        context.on("request", lambda request: said.append(request.url))
        opened = context.new_page()
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("console", lambda message: said.append(message.text))
        opened.on("dialog", lambda dialog: said.append(dialog.message))
        opened.add_init_script(WATCH)
        opened.goto(file.as_uri())
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert set(said) <= {file.as_uri()}


@pytest.fixture
def await_widths(wait_until):
    """Wait until blocks have certain shares of the drawing's width."""
    # Not by `wait_for_function`, which evaluates text in the page: its policy forbids that.
    read = """[...document.querySelectorAll(".d3-flame-graph .frame")].map((block) =>
      [block.getAttribute("name").split(" ")[0], Number(block.querySelector("rect").getAttribute("width"))])"""

    def await_widths(page, **wanted):
        def come_about():
            whole = page.evaluate("document.querySelector('.flame-graph').clientWidth")
            shares = {name: width / whole for name, width in page.evaluate(read)}
            return all(abs(shares.get(name, -1) - share) < 0.001 for name, share in wanted.items())

        wait_until(come_about)

    return await_widths


ALL = {"everything": 1, "Flask.dispatch_request": 1, "work": 0.95, "render": 0.7, "JSONDecoder.raw_decode": 0.25}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_no_violation(show, axe, width, scheme):
    page = show(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    assert axe(page) == []
    page.evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
    assert axe(page) == []


@pytest.mark.parametrize(("width", "shown"), [(1280, "plot"), (400, "narrow-plot")])
def test_each_window_has_its_own_drawing_of_the_floors(show, width, shown):
    page = show(viewport={"width": width, "height": 800})
    seen = page.evaluate(
        """() => [...document.querySelectorAll("svg.curve")].filter((curve) => curve.checkVisibility())
          .map((curve) => [curve.querySelector("clipPath").id.replace(/-[0-9a-f]+$/, ""), curve.clientWidth])"""
    )
    ((name, drawn),) = seen
    assert name == shown
    # Its letters of 12 px are as large as that, or nearly.
    assert 12 * drawn / {"plot": 760, "narrow-plot": 360}[name] > 10


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
@pytest.mark.parametrize("width", [1280, 400])
def test_every_block_is_as_wide_as_its_bytes(show, await_widths, width, motion):
    page = show(viewport={"width": width, "height": 800}, reduced_motion=motion)
    await_widths(page, **ALL)
    page.set_viewport_size({"width": 700, "height": 800})
    await_widths(page, **ALL)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_no_block_grows_for_those_who_asked_for_that(show, await_widths):
    moving = show(viewport={"width": 1280, "height": 800}, reduced_motion="no-preference")
    await_widths(moving, **ALL)
    still = show(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    await_widths(still, **ALL)
    still.click("#flame .frame[name^=render]")
    await_widths(still, everything=1, render=1)
    still.click("#flame button")
    await_widths(still, **ALL)
    assert still.evaluate("widths.size") <= 5 + 1  # those of the five shares, and 0 of what is out of sight
    assert moving.evaluate("widths.size") > 5 + 1


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_a_block_tells_of_itself_and_is_looked_at_closer_and_left_by_keyboard(show, await_widths, motion):
    page = show(viewport={"width": 1280, "height": 800}, reduced_motion=motion)
    await_widths(page, **ALL)
    block = page.locator(".frame", has_text="render")
    block.hover()
    assert page.text_content(".flame-detail") == "render  shop.py:41: 700,000 B, 70.0 %"
    block.click()
    await_widths(page, everything=1, work=1, render=1)
    page.focus("#flame button")
    page.keyboard.press("Enter")
    await_widths(page, **ALL)


def test_what_is_searched_for_is_marked_and_summed_up(show, await_widths):
    page = show(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    await_widths(page, **ALL)
    page.fill("#flame input", "JSON")
    assert page.text_content("#flame output") == "found in 250,000 B, 25.0 %"
    assert page.get_attribute(".frame[name^=JSONDecoder] rect", "fill") == "var(--flame-found)"
    page.fill("#flame input", "(")  # no pattern
    page.fill("#flame input", "")
    assert page.text_content("#flame output") == ""
    assert page.get_attribute(".frame[name^=JSONDecoder] rect", "fill") == "var(--flame-standard-library)"


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_passes_the_audit(show, await_widths, width):
    page = show(viewport={"width": width, "height": 800})
    await_widths(page, **ALL)
    for details in page.query_selector_all("details"):
        details.evaluate("details => { details.open = true; }")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert [wrong for wrong in page.evaluate(AUDIT) if not LAYOUT.match(wrong)] == [], scheme


def test_without_scripts_there_is_the_table_of_the_same_stacks(show):
    page = show(java_script_enabled=False)
    assert not page.is_visible("#flame")
    page.click("text=The 3 stacks as a table")
    assert page.is_visible("text=json/decoder.py:353 in JSONDecoder.raw_decode")
