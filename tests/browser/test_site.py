"""The pages as they open from a disk: for a keyboard, a screen reader, a phone, in the dark, and without a network."""

import base64
import io
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output
from PIL import Image

ROOT = Path(__file__).parents[2]
NOTEBOOK = "04_verify_the_fix"
WORDS = "The leaky store keeps all; the other one nothing"
# Each page is seen in both schemes and widths; the other two pairs are the same page in the same colours.
VIEWS = {"light": 1280, "dark": 400}
OTHERS = {"light": 400, "dark": 1280}


def picture():
    drawn = io.BytesIO()
    Image.new("RGB", (1536, 800), "white").save(drawn, "PNG")
    return base64.b64encode(drawn.getvalue()).decode()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All pages, one of them with outputs of every kind; `make reference` makes those of all notebooks."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "executed").mkdir()
    notebook = nbformat.read(ROOT / "notebooks" / f"{NOTEBOOK}.ipynb", as_version=4)
    table = "| figure | before | after |\n|---|---|---|\n" + "| bytes per job | 188,090 | 12 |\n" * 3
    rows = '<table><thead><tr><th scope="col"></th><th scope="col">claim</th></tr></thead><tbody></tbody></table>'
    outputs = [
        new_output("stream", text="leaky: floor 3 at 344 jobs: 62.9 MiB traced " * 5),
        new_output("display_data", data={"image/png": picture(), "text/plain": f"{WORDS} (figures/04_both.svg)"}),
        new_output("display_data", data={"text/markdown": table, "text/plain": "<Markdown>"}),
        new_output("display_data", data={"text/html": rows, "text/plain": "claims"}),
    ]
    (cell,) = [cell for cell in notebook.cells if "with experiment(before" in cell.source]
    cell.outputs = outputs
    nbformat.write(notebook, folder / "executed" / f"{NOTEBOOK}.ipynb")
    options = ["-D", f"executed_notebooks={folder / 'executed'}", "--quiet", "--fail-on-warning", "--keep-going"]
    command = [sys.executable, "-m", "sphinx", *options, "-c", "docs", ".", str(folder / "html")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return folder / "html"


@pytest.fixture
def opened(browser, site):
    """Open a page from the disk; what it asks for and complains of is asserted when the test is over."""
    contexts, asked, said = [], [], []

    def open_page(name, *, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
        page.goto((site / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.fixture
def wrong_in(axe):
    def wrong_in(page, url, width):
        """What axe finds in a page, and whether it is wider than its window."""
        page.goto(url)
        wider = page.evaluate("document.documentElement.scrollWidth") > width
        return axe(page) + ["it is too wide"] * wider

    return wrong_in


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scheme", VIEWS)
def test_no_page_has_a_violation_or_is_wider_than_its_window(opened, site, wrong_in, scheme):
    width = VIEWS[scheme]
    page = opened("README.html", width=width, scheme=scheme)
    names = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    pages = [name for name in names if not name.startswith("_static") and name != "index.html"]
    assert len(pages) > 40
    found = {name: wrong for name in pages if (wrong := wrong_in(page, (site / name).as_uri(), width))}
    assert found == {}


@pytest.mark.parametrize("name", ["README", f"notebooks/{NOTEBOOK}", "docs/api"])
@pytest.mark.parametrize("scheme", OTHERS)
def test_neither_has_one_in_the_other_width(opened, site, wrong_in, scheme, name):
    page = opened("README.html", width=OTHERS[scheme], scheme=scheme)
    assert wrong_in(page, (site / f"{name}.html").as_uri(), OTHERS[scheme]) == []


def test_the_audit_finds_what_it_looks_for(opened, axe):
    page = opened("README.html")
    page.evaluate(
        """() => {
          document.querySelector("article p").style.color = "#aaa";
          document.querySelector("article img").removeAttribute("alt");
          document.querySelector("article h1").remove();
          document.querySelector("aside.toc-drawer").removeAttribute("aria-label");
          document.querySelector("aside.sidebar-drawer").removeAttribute("aria-label");
        }"""
    )
    found = {rule for rule, _ in axe(page)}
    assert {"color-contrast", "image-alt", "page-has-heading-one", "landmark-unique"} <= found


def test_the_folders_own_page_leads_to_the_front_page(opened):
    page = opened("index.html")
    page.wait_for_url("**/README.html")
    assert page.inner_text("h1").startswith("labserver")


def test_words_are_found_without_a_server(opened):
    page = opened("README.html")
    page.fill("input[name=q]", "dominators")
    page.press("input[name=q]", "Enter")
    page.wait_for_selector("#search-results li")
    page.click("#search-results li a >> text=Glossary")
    assert page.inner_text("h1").startswith("Glossary")


def test_an_executed_notebook_shows_what_it_found(opened):
    page = opened(f"notebooks/{NOTEBOOK}.html")
    shown = page.locator(".cell_output img")
    assert shown.get_attribute("alt") == WORDS
    assert shown.evaluate("image => image.naturalWidth") == 1536
    assert page.locator(".cell_output table").count() == 2
    assert "outputs of the reference run" in page.inner_text(".admonition")


def test_what_scrolls_is_reached_by_keyboard(opened):
    page = opened(f"notebooks/{NOTEBOOK}.html", width=400)
    wide = "element => element.scrollWidth > element.clientWidth"
    scrolling = [one for one in page.locator("pre").all() if one.evaluate(wide)]
    assert scrolling
    for one in scrolling:
        one.focus()
        assert one.evaluate("element => element === document.activeElement")
