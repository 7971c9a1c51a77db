"""`make docs`: the pages build without a warning, and fetch nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    (recipe,) = re.findall(
        r"^docs:.*\n\t\$\(BIN\)/sphinx-build (.+) docs/build/html$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    folder = tmp_path_factory.mktemp("docs") / "html"
    command = [sys.executable, "-m", "sphinx", *recipe.split(), str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return folder


def test_every_page_and_notebook_is_built(site):
    sources = [*(ROOT / "docs").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb"), ROOT / "README.md"]
    for source in sources:
        assert (site / source.relative_to(ROOT)).with_suffix(".html").is_file(), source


def test_no_page_fetches_anything(site):
    fetched = re.compile(r"<(?:script|link|img|iframe|object)\b[^>]*?(?:src|href|data)=[\"'](?:https?:)?//[^\"']+")
    imported = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^\"')]+")
    for path in site.rglob("*"):
        if path.suffix == ".html":
            assert fetched.findall(path.read_text(encoding="utf-8")) == [], path
        if path.suffix == ".css":
            assert imported.findall(path.read_text(encoding="utf-8")) == [], path
