"""A real browser, a real server, and a page whose clock the test moves."""

import importlib.util
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
import requests
from playwright.sync_api import sync_playwright

import labserver
from labserver.incident.hosting.embedded import embedded

sys.path.insert(0, str(Path(__file__).parent))
from visiting import Visit

PHOTOS = Path(labserver.__file__).parent / "load" / "photos"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Leads to this machine under a name from elsewhere; no other name leads anywhere.
ELSEWHERE = "photos.example"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@pytest.fixture(scope="session")
def browser():
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("the program chromium is missing")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    """Ask axe-core about a page as it stands: the rules that it breaks, each with the first element that does."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None:
        pytest.skip("the package axe-playwright-python is missing")
    source = (Path(package.origin).parent / "axe.min.js").read_text(encoding="utf-8")

    def violations(page):
        page.evaluate(source)
        # No style sheets are fetched, which files may not; of what is right the rules' names are enough.
        found = page.evaluate("axe.run({preload: false, resultTypes: ['violations']})")
        assert len(found["passes"]) > 10
        return [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]]

    return violations


@pytest.fixture
def visit(browser):
    """Open the page of a server, its clock standing still; see that it asks nobody else and meets no error."""
    visits = []

    def open_page(url, *, load=True, **options):
        opened = Visit(browser.new_context(**options), url)
        visits.append(opened)
        if load:
            opened.load()
        return opened

    yield open_page
    for opened in visits:
        opened.context.close()
        assert opened.errors == []
        assert {request.origin for request in opened.requests} <= {opened.url}


@pytest.fixture
def serve():
    """Start servers with settings of their own, and stop those that still run."""
    stacks = []

    def start(**settings):
        stack = embedded(**settings)
        server = stack.__enter__()
        stacks.append((server, stack))
        return server

    def stop(server):
        stack = next(stack for running, stack in stacks if running is server)
        stacks.remove((server, stack))
        stack.__exit__(None, None, None)

    start.stop = stop
    yield start
    for server, _ in stacks.copy():
        stop(server)


@pytest.fixture
def photos():
    return PHOTOS / "astronaut.jpg", PHOTOS / "photographer.jpg"


@pytest.fixture
def post(photos):
    """Submit a job as another client does, and return its id."""

    def post(server):
        with photos[0].open("rb") as one, photos[1].open("rb") as other:
            files = {"parentA": one, "parentB": other}
            answer = requests.post(f"{server.url}/api/images/analyze", files=files, timeout=30)
        assert answer.status_code == 202
        return answer.json()["jobId"]

    return post


@pytest.fixture
def wait_until():
    def wait(condition, within_s=60.0):
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "it did not come about in time"
            time.sleep(0.005)

    return wait


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
