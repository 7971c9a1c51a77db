import http.server
import threading

import pytest

from labserver.errors import CannotRun, UsageError
from labserver.watch.job_counter import open_job_counter

PAGE = """
# TYPE http_requests_total counter
http_requests_total{route="/work",code="200"} 40
http_requests_total{route="/work",code="500"} 2
http_requests_total{route="/health",code="200"} 1000
jobs_finished_total 7
"""


@pytest.fixture
def page():
    """A page in Prometheus' format, which can be changed; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        text = PAGE

        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.text.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.text = PAGE
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server, f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("jobs_finished_total", 7),
        ('http_requests_total{route="/work"}', 42),
        ('http_requests_total{code="200"}', 1040),
        ("http_requests_total", 1042),
    ],
)
def test_a_counter_is_the_sum_of_the_lines_that_are_meant(page, name, count):
    counter = open_job_counter(f"{page[1]}#{name}")
    assert counter.read() == count
    counter.close()


def test_a_counter_that_goes_away_gives_nothing_for_a_while(page):
    server, url = page
    counter = open_job_counter(f"{url}#jobs_finished_total")
    server.text = "# nothing yet\n"
    assert counter.read() is None
    server.text = PAGE
    assert counter.read() == 7
    counter.close()


@pytest.mark.parametrize(
    "spec", ["", "x", "http://127.0.0.1/metrics", "http://127.0.0.1/#", "ftp://a/b#c", "http:///m#n"]
)
def test_what_names_no_counter_is_refused(spec):
    with pytest.raises(UsageError, match="is no counter"):
        open_job_counter(spec)


def test_a_counter_that_nobody_tells_of_is_one_sentence(page):
    with pytest.raises(CannotRun, match="tells of no counter requests_total"):
        open_job_counter(f"{page[1]}#requests_total")
