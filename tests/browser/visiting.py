"""One visit to the page, in the words of its tests."""

import re
import time
from typing import NamedTuple
from urllib.parse import urlsplit

# For hangs only.
_WITHIN_S = 60
# A server that is away, full or forgetful is what these tests are about; the browser reports each such answer.
_EXPECTED = re.compile(r"Failed to load resource")


class Asked(NamedTuple):
    origin: str
    method: str
    path: str


class Visit:
    """A page whose clock stands still until a test moves it, and all that it asked for.

    Args:
        context: A browser context of its own.
        url: The server's.
    """

    def __init__(self, context, url):
        self.context = context
        self.url = url
        self.requests = []
        self.errors = []
        self.page = context.new_page()
        self.page.set_default_timeout(1000 * _WITHIN_S)
        self.page.clock.install(time=0)
        self.page.clock.pause_at(1)
        context.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._said)

    def load(self):
        self.page.goto(self.url)

    def choose(self, one, other):
        self.page.set_input_files("#parentA", one)
        self.page.set_input_files("#parentB", other)

    def submit(self):
        self.page.click("#submit")

    def pass_time(self, seconds):
        self.page.clock.run_for(round(seconds * 1000))

    def polls(self):
        """The jobs that were asked for, by their ids, question by question."""
        return self._ids("status")

    def submissions(self):
        return sum(request.method == "POST" for request in self.requests)

    def readings(self):
        return sum(request.path.startswith("/actuator/") for request in self.requests)

    def expect_text(self, selector, text):
        self._await(lambda: self.page.text_content(selector).strip(), text)

    def expect_shown(self, *selectors):
        for selector in selectors:
            self._await(lambda selector=selector: self.page.is_visible(selector), wanted=True)

    def expect_hidden(self, *selectors):
        for selector in selectors:
            self._await(lambda selector=selector: self.page.is_visible(selector), wanted=False)

    def expect_state(self, state):
        self.expect_text("#state", state)

    def expect_next_question(self, number, seconds):
        self.expect_text("#count", f"Question {number} of 40 in {seconds} s")

    def expect_held(self, held, number):
        """Wait until so many requests were held back: the page says that it asks before the request arrives here."""
        self._await(lambda: (self.page.wait_for_timeout(1), len(held))[1], number)

    def expect_face(self):
        self.expect_shown("#face img", "#download")
        assert self.page.eval_on_selector("#face img", "image => image.naturalWidth") > 0

    def _await(self, read, wanted):
        """Playwright's own `expect` looks again after 100, 250, 500 ms: most of a test would be waiting."""
        deadline = time.monotonic() + _WITHIN_S
        while (seen := read()) != wanted:
            assert time.monotonic() < deadline, f"waited for {wanted!r}, saw {seen!r}"
            time.sleep(0.005)

    def _ids(self, what):
        paths = [request.path for request in self.requests]
        return [path.rpartition("/")[2] for path in paths if path.startswith(f"/api/images/{what}/")]

    def _asked(self, request):
        parts = urlsplit(request.url)
        if parts.scheme != "blob":
            self.requests.append(Asked(f"{parts.scheme}://{parts.netloc}", request.method, parts.path))

    def _said(self, message):
        if message.type in {"error", "warning"} and not _EXPECTED.search(message.text):
            self.errors.append(message.text)
