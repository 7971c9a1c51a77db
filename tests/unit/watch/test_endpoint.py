import socket
import time

import pytest

from labserver.errors import CannotRun, UsageError
from labserver.incident.hosting.embedded import embedded
from labserver.watch import fetch
from labserver.watch.open import open_source

MICROMETER = """# TYPE jvm_memory_used_bytes gauge
jvm_memory_used_bytes{area="heap",id="G1 Eden Space",} 2.0E7
jvm_memory_used_bytes{area="heap",id="G1 Old Gen",} 1.0E7
jvm_memory_used_bytes{area="nonheap",id="Metaspace",} 9.0E7
process_start_time_seconds 1.7E9
"""
PYTHON = "process_resident_memory_bytes 4.2e7\nprocess_start_time_seconds 1.7e9\n"


def start(value):
    return {"name": "process.start.time", "measurements": [{"statistic": "VALUE", "value": value}]}


@pytest.mark.parametrize(
    ("root", "given"),
    [
        ("/actuator", ""),
        ("/actuator", "/"),
        ("/actuator", "/actuator"),
        ("/actuator", "/actuator/metrics"),
        ("/actuator", "/actuator/metrics/jvm.memory.used?tag=area:heap"),
        ("/manage", "/manage"),
        ("/shop/actuator", "/shop"),
        ("/shop/actuator", "/shop/actuator/"),
    ],
)
def test_a_spring_boot_is_read_unchanged_wherever_its_actuator_is(scripted, root, given):
    scripted.actuator(root)
    sample = open_source(scripted.url + given).read()
    assert sample.heap_bytes == 5.1380224e7
    assert sample.event == ""
    assert sample.resident_bytes is sample.finished_jobs is None


@pytest.mark.parametrize("path", ["/metrics", "/actuator/prometheus", "/own/page"])
@pytest.mark.parametrize(
    ("page", "heap", "resident"),
    [
        (MICROMETER, 3e7, None),
        (PYTHON, None, 4.2e7),
        ("go_memstats_heap_inuse_bytes 7e6\nprocess_resident_memory_bytes 9e6\n", 7e6, 9e6),
    ],
)
def test_a_page_for_prometheus_is_read(scripted, path, page, heap, resident):
    scripted.answers[path] = page
    sample = open_source(scripted.url + (path if path == "/own/page" else "")).read()
    assert (sample.heap_bytes, sample.resident_bytes) == (heap, resident)


def test_our_own_service_tells_its_jobs_both_ways():
    with embedded() as server:
        for url in (server.url, f"{server.url}/metrics"):
            sample = open_source(url).read()
            assert sample.heap_bytes > 1e6
            assert (sample.live_jobs, sample.finished_jobs) == (0, 0)


@pytest.mark.parametrize(
    "broken",
    [500, 404, "not json", {"measurements": []}, {"measurements": [{"statistic": "VALUE", "value": "NaN"}]}, [1]],
)
def test_an_answer_that_tells_nothing_is_a_gap_with_its_reason(scripted, broken):
    source = open_source(scripted.actuator().url)
    (path,) = (path for path in scripted.answers if "jvm" in path)
    scripted.answers[path] = broken
    sample = source.read()
    assert sample.is_gap
    assert sample.event.startswith("gap: ")
    scripted.answers[path] = scripted.HEAP
    assert source.read().event == ""


def test_no_answer_in_time_is_a_gap(scripted, slow, monkeypatch):
    source = open_source(scripted.actuator().url)
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.1)
    (path,) = (path for path in scripted.answers if "jvm" in path)
    scripted.answers[path] = slow(scripted.HEAP, 0.4)
    assert source.read().event == "gap: no answer within 0.1 s"


def test_an_answer_that_dribbles_is_a_gap_before_it_is_whole(scripted, monkeypatch):
    source = open_source(scripted.actuator().url)
    monkeypatch.setattr(fetch, "TIMEOUT_S", 1.0)
    scripted.dribble_s = 0.25  # for more than a minute in all, and never silent for as long as a socket's timeout
    began = time.monotonic()
    assert source.read().event.startswith("gap: no ")
    assert time.monotonic() - began < 30


def test_all_samples_are_asked_for_over_one_connection(scripted):
    source = open_source(scripted.actuator().url)
    assert source.read().event == ""
    before = scripted.connections
    for _ in range(3):
        assert source.read().event == ""
    assert scripted.connections == before


def test_a_later_start_is_a_restart_and_an_earlier_one_another_worker(scripted):
    scripted.actuator()
    source = open_source(scripted.url)
    events = []
    for started in (1.7e9, 1.7e9 + 0.5, 1.7e9 + 60, 1.7e9 + 60, 1.7e9, 1.7e9 + 60):
        scripted.answers["/actuator/metrics/process.start.time"] = start(started)
        events.append(source.read().event.partition(":")[0])
    assert events == ["", "", "restart", "", "another process answers", "another process answers"]


def test_an_uptime_or_a_counter_that_goes_back_is_a_restart(scripted):
    metrics = "/actuator/metrics"
    scripted.answers[f"{metrics}/jvm.memory.used?tag=area:heap"] = scripted.HEAP
    for name, values in {"process.uptime": (100, 101, 2), "labserver.jobs.finished": (5, 6, 0)}.items():
        scripted.answers[f"{metrics}/{name}"] = start(values[0])
        source = open_source(scripted.url)
        events = []
        for value in values:
            scripted.answers[f"{metrics}/{name}"] = start(value)
            events.append(source.read().event.partition(":")[0])
        assert events == ["", "", "restart"], name
        del scripted.answers[f"{metrics}/{name}"]


def test_nothing_readable_is_one_sentence_with_what_was_tried(scripted):
    with pytest.raises(CannotRun, match=r"tried .*/actuator/metrics/jvm\.memory\.used.*404.*/metrics .*Spring Boot"):
        open_source(scripted.url)


def test_nobody_there_is_asked_once():
    with socket.socket() as taken:  # bound, so that nobody else listens there meanwhile
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(CannotRun, match="connection refused") as error:
            open_source(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert str(error.value).count("refused") == 1


@pytest.mark.parametrize("target", ["", "shop", "ftp://host", "http://", "-4", "pid:x", "http://host:99999", "0"])
def test_what_cannot_be_watched_is_a_usage_error(target):
    with pytest.raises(UsageError, match="cannot be watched"):
        open_source(target)
