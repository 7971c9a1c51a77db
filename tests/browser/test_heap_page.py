"""The page of a heap in a real browser: an icicle to click into, a tree to unfold, and nothing that is fetched."""

import sys
import types

import pytest

from labserver.heap.file import HeapFile
from labserver.heap.file.describing import about_this_process, record_of
from labserver.heap.file.record_file import write_record
from labserver.heap.graph import heap_graph
from labserver.heap.roots import gather_roots
from labserver.report.heap.page import page_of

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


class Job:
    """What the heap is full of."""

    def __init__(self):
        self.image = bytes(400_000)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    shop = sys.modules["shop"] = types.ModuleType("shop")
    shop.STORE, shop.EVIL = [Job() for _ in range(500)], [type(EVIL, (Job,), {})() for _ in range(50)]
    folder, roots = tmp_path_factory.mktemp("heap"), gather_roots()
    try:
        with heap_graph(roots) as graph, (folder / "shop.heap").open("wb") as file:
            write_record(record_of(graph, roots, about_this_process()), file)
    finally:
        roots.clear()
        del sys.modules["shop"]
    page = folder / "shop.html"
    page.write_text(page_of(HeapFile(folder / "shop.heap")), encoding="utf-8")
    return page


@pytest.fixture
def show(browser, page_file):
    """Open the page from its file, and see that it asks nobody else and meets no error."""
    said, contexts = [], []

    def open_page(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        context.on("request", lambda request: said.append(request.url))
        opened = context.new_page()
        for event in ("pageerror", "console", "dialog"):
            opened.on(event, lambda told: said.append(str(told)))
        opened.goto(page_file.as_uri())
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert set(said) <= {page_file.as_uri()}


BLOCKS = """[...document.querySelectorAll(".heap-icicle > div")].map((block) =>
  [block.textContent, block.offsetWidth / block.parentElement.clientWidth])"""


def blocks(page):
    return {name: share for name, share in page.evaluate(BLOCKS) if name}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_no_violation_and_nothing_is_cut_off(show, axe, width, scheme):
    page = show(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    assert axe(page) == []
    page.evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_icicle_shows_the_largest_and_opens_on_a_click(show):
    page = show(viewport={"width": 1280, "height": 800})
    whole = blocks(page)
    assert whole["heap"] == pytest.approx(1, abs=0.01)
    store = next(share for name, share in whole.items() if name.startswith("STORE: list"))
    assert 0.5 < store < 0.95
    page.get_by_text("STORE: list").first.click()
    assert blocks(page)["STORE: list"] == pytest.approx(1, abs=0.01)
    assert blocks(page)["[…]: Job × 500"] == pytest.approx(1, abs=0.02)
    assert page.locator("#icicle output").text_content().startswith("STORE: list: ")
    page.get_by_role("button", name="The whole heap").click()
    assert blocks(page) == whole


def test_the_tree_says_the_same_and_unfolds(show):
    page = show(viewport={"width": 1280, "height": 800}, java_script_enabled=False)
    assert not page.locator("#icicle").is_visible()
    row = page.locator(".heap-tree summary", has_text="STORE: list").first
    if not row.is_visible():
        page.locator(".heap-tree > details > summary", has_text="module shop").first.click()
    row.click()
    assert page.locator(".heap-tree summary", has_text="[…]: Job × 500").first.is_visible()


def test_what_comes_from_the_heap_is_text(show):
    page = show(viewport={"width": 1280, "height": 800})
    assert EVIL in page.locator("main").text_content()
    assert page.locator("img").count() == 0
