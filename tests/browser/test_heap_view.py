"""The live view of the server's memory, and what the page itself keeps."""

import re

import pytest
import requests
from playwright.sync_api import CDPSession

from labserver.incident.service.jobs import JobResult, JobState


class StandingClock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


def keep(server, number, size=200_000, state=JobState.DONE):
    image = bytes(size) if state is JobState.DONE else None
    for i in range(number):
        server.service.store.put(f"{state}-{size}-{i}", JobResult(state, image, None, server.service.clock()))


def figure(visited, name):
    return float(visited.page.get_attribute(f"#curve-{name} data", "value"))


def actuator(server, metric):
    answer = requests.get(f"{server.url}/actuator/metrics/{metric}", timeout=30).json()
    return answer["measurements"][0]["value"]


def next_reading(visited, wait_until):
    """Let the next reading fall due and be drawn."""
    before = drawings(visited)
    visited.pass_time(2)
    wait_until(lambda: drawings(visited) > before)


def drawings(visited):
    """How often the curves were drawn since this was first asked: once for each reading, also for a missed one."""
    return visited.page.evaluate(
        """() => {
          if (globalThis.drawings === undefined) {
            globalThis.drawings = 0;
            const seen = new MutationObserver(() => { globalThis.drawings += 1; });
            seen.observe(document.querySelector("#curves"), {subtree: true, attributeFilter: ["aria-label"]});
          }
          return globalThis.drawings;
        }"""
    )


def runs(visited, name):
    """How many unbroken pieces a curve has, and how many gaps are marked."""
    line, gap = (visited.page.get_attribute(f"#curve-{name} .{part}", "d") or "" for part in ("line", "gap"))
    return line.count("M"), gap.count("M")


def test_the_figures_are_those_of_the_actuator(visit, serve):
    clock = StandingClock()
    server = serve(clock=clock)
    keep(server, 5)
    keep(server, 2, state=JobState.FAILED)
    clock.now += 90
    here = visit(server.url)
    here.expect_shown("#curve-used", "#curve-kept", "#curve-jobs", "#curve-oldest")
    here.expect_text("#heap-status", "Live")
    assert figure(here, "jobs") == actuator(server, "labserver.jobs") == 7
    assert figure(here, "kept") == actuator(server, "labserver.kept") == 1_000_000
    assert figure(here, "oldest") == actuator(server, "labserver.kept.oldest") == 90
    assert figure(here, "used") == pytest.approx(actuator(server, "jvm.memory.used?tag=area:heap"), rel=0.1)
    assert here.page.inner_text("#curve-jobs .detail") == "0 pending, 0 running, 5 done, 2 failed"
    assert here.page.inner_text("#curve-oldest data") == "1 min 30 s"
    assert here.page.inner_text("#curve-kept data") == "976.6 KiB"


def test_the_figures_are_live_and_the_curve_goes_on(visit, serve, wait_until):
    server = serve()
    here = visit(server.url)
    here.expect_shown("#curve-jobs")
    assert figure(here, "jobs") == 0
    for number in (10, 20):
        keep(server, number)
        next_reading(here, wait_until)
        assert figure(here, "jobs") == number
        assert figure(here, "kept") == number * 200_000
    assert figure(here, "used") > 4_000_000
    assert runs(here, "jobs") == (1, 0)
    here.expect_hidden("#heap-legend")
    label = here.page.get_attribute("#curve-jobs svg", "aria-label")
    assert label.startswith("Jobs kept over the last minutes: now 20")


def test_a_curve_goes_up_where_the_figure_does(visit, serve, wait_until):
    server = serve()
    here = visit(server.url)
    here.expect_shown("#curve-jobs")
    for number in (5, 10, 15):
        keep(server, number)
        next_reading(here, wait_until)
    points = re.findall(r"([\d.]+) ([\d.]+)", here.page.get_attribute("#curve-jobs .line", "d"))
    xs, ys = zip(*((float(x), float(y)) for x, y in points), strict=True)
    assert len(points) == 4
    assert list(xs) == sorted(xs)
    assert xs[-1] == 300
    assert list(ys) == sorted(ys, reverse=True)
    assert ys[0] == 60


def test_a_server_that_is_away_leaves_a_gap_that_nothing_is_drawn_across(visit, serve, wait_until):
    server = serve()
    here = visit(server.url)
    here.expect_shown("#curve-jobs")
    next_reading(here, wait_until)
    here.context.set_offline(True)
    here.pass_time(2)
    here.expect_shown("#heap-legend")
    assert here.page.inner_text("#heap-status").startswith("No answer since ")
    assert runs(here, "jobs") == (1, 1)
    here.context.set_offline(False)
    before = drawings(here)
    here.pass_time(4)
    wait_until(lambda: drawings(here) > before)
    here.expect_text("#heap-status", "Live")
    assert runs(here, "jobs") == runs(here, "used") == (2, 1)
    next_reading(here, wait_until)
    assert runs(here, "jobs") == (2, 1)
    assert "with gaps" in here.page.get_attribute("#curve-jobs svg", "aria-label")


def test_a_restarted_server_is_found_again_with_its_new_figures(visit, serve, wait_until, kept_port):
    server = serve(port=kept_port)
    keep(server, 3)
    here = visit(server.url)
    here.expect_shown("#curve-jobs")
    assert figure(here, "jobs") == 3
    serve.stop(server)
    here.pass_time(2)
    here.expect_shown("#heap-legend")
    serve(port=kept_port)
    before = drawings(here)
    here.pass_time(4)
    wait_until(lambda: drawings(here) > before)
    assert figure(here, "jobs") == 0
    assert runs(here, "jobs") == (2, 1)


def test_where_the_diagnostics_are_not_public_the_view_says_so_and_the_rest_works(visit, serve, photos, wait_until):
    server = serve()
    here = visit(f"http://photos.example:{server.port}")
    here.expect_text("#heap-status", "This view is not public: the server shows its memory on its own machine only.")
    here.expect_hidden("#curves", "#heap-legend")
    assert here.readings() == 1
    here.choose(*photos)
    here.submit()
    here.expect_next_question(1, 1)
    wait_until(server.service.idle)
    here.pass_time(1)
    here.expect_face()
    here.pass_time(600)
    assert here.readings() == 1


def test_where_they_are_the_view_is_shown(visit, serve):
    server = serve(public_diagnostics=True)
    here = visit(f"http://photos.example:{server.port}")
    here.expect_shown("#curve-jobs")


def test_a_page_that_nobody_looks_at_reads_nothing_and_marks_what_it_missed(visit, serve, wait_until):
    here = visit(serve().url)
    here.expect_shown("#curve-jobs")
    next_reading(here, wait_until)
    set_hidden(here, hidden=True)
    before = here.readings()
    here.pass_time(60)
    here.page.wait_for_timeout(50)
    assert here.readings() == before
    drawn = drawings(here)
    set_hidden(here, hidden=False)
    wait_until(lambda: drawings(here) > drawn)
    assert runs(here, "jobs") == (2, 1)


def set_hidden(visited, *, hidden):
    visited.page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def test_a_figure_that_nobody_measures_is_left_out(visit, serve, monkeypatch):
    server = serve()
    monkeypatch.setattr(server.service, "memory", tuple)
    here = visit(server.url)
    here.expect_shown("#curve-kept", "#curve-jobs", "#curve-oldest")
    here.expect_hidden("#curve-used")


def test_the_page_keeps_no_more_after_many_faces_than_after_a_few(visit, serve, photos, wait_until):
    """Object URLs, nodes and listeners are counted exactly; the script's heap warms up for a while."""
    server = serve()
    here = visit(f"http://photos.example:{server.port}", load=False)  # without the heap's view, whose curve grows
    here.page.add_init_script(
        "globalThis.urls = new Set(); const {createObjectURL, revokeObjectURL} = URL;"
        "URL.createObjectURL = blob => { const url = createObjectURL(blob); urls.add(url); return url; };"
        "URL.revokeObjectURL = url => { urls.delete(url); revokeObjectURL(url); };"
    )
    here.load()
    devtools = here.context.new_cdp_session(here.page)
    devtools.send("Performance.enable")

    def compose(times):
        for _ in range(times):
            here.choose(*photos)
            here.submit()
            here.expect_next_question(1, 1)
            wait_until(server.service.idle)
            here.pass_time(1)
            here.expect_face()

    def kept():
        here.pass_time(200)  # the time limits of the requests so far
        figures = metrics(devtools)
        return here.page.evaluate("urls.size"), figures["Nodes"], figures["JSEventListeners"], figures["JSHeapUsedSize"]

    compose(3)
    urls, nodes, listeners, heap = kept()
    compose(10)
    urls_then, nodes_then, listeners_then, heap_then = kept()
    assert urls == urls_then == 3  # two previews and a face
    assert (nodes_then, listeners_then) == (nodes, listeners)
    assert heap_then - heap < 10 * 10_000


def metrics(devtools: CDPSession):
    for _ in range(3):
        devtools.send("HeapProfiler.collectGarbage")
    return {metric["name"]: metric["value"] for metric in devtools.send("Performance.getMetrics")["metrics"]}
