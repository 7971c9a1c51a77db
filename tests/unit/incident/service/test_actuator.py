"""The diagnostics, in the shapes that Spring Boot Actuator and Prometheus give them."""

import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from labserver.incident.service import MemoryPool, Settings, create_app
from labserver.incident.service.jobs import JobResult, JobState
from labserver.incident.service.stores import StoreUnavailable

POOLS = (
    MemoryPool("heap", "small", 1000, 5000, 9000),
    MemoryPool("heap", "large", 200, 300),
    MemoryPool("nonheap", "code", 70, 80),
)


@pytest.fixture
def build(clock):
    services = []

    def make(memory=lambda: POOLS, **settings):
        app = create_app(Settings(**settings), clock=clock, memory=memory)
        services.append(app.extensions["labserver"])
        return app.test_client()

    yield make
    for service in services:
        service.close()


@pytest.fixture
def client(build, clock):
    client = build()
    store = client.application.extensions["labserver"].store
    for number in range(3):
        store.put(str(number), JobResult(JobState.DONE, bytes(100), None, clock()))
    store.put("failed", JobResult(JobState.FAILED, None, "No face.", clock()))
    return client


def body(answer):
    assert answer.status_code == 200
    assert answer.content_type == "application/vnd.spring-boot.actuator.v3+json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_json(force=True)


def value(client, metric):
    (measurement,) = body(client.get(f"/actuator/metrics/{metric}"))["measurements"]
    return measurement["value"]


def test_a_monitor_of_the_incidents_kind_reads_the_heap(client):
    assert body(client.get("/actuator/metrics/jvm.memory.used?tag=area:heap")) == {
        "name": "jvm.memory.used",
        "description": "The amount of used memory",
        "baseUnit": "bytes",
        "measurements": [{"statistic": "VALUE", "value": 1200.0}],
        "availableTags": [{"tag": "id", "values": ["small", "large"]}],
    }


def test_without_a_filter_all_samples_are_summed_and_all_tags_offered(client):
    metric = body(client.get("/actuator/metrics/jvm.memory.used"))
    assert metric["measurements"] == [{"statistic": "VALUE", "value": 1270.0}]
    assert metric["availableTags"] == [
        {"tag": "area", "values": ["heap", "nonheap"]},
        {"tag": "id", "values": ["small", "large", "code"]},
    ]


def test_filters_add_up(client):
    metric = body(client.get("/actuator/metrics/jvm.memory.committed?tag=area:heap&tag=id:large"))
    assert metric["measurements"][0]["value"] == 300.0
    assert metric["availableTags"] == []


@pytest.mark.parametrize(
    "path",
    [
        "no.such",
        "jvm.memory.used?tag=area:moon",
        "jvm.memory.used?tag=no:heap",
        "labserver.jobs?tag=state:DONE&tag=state:FAILED",
        "jvm.threads.live?tag=a:b",
    ],
)
def test_an_unknown_metric_or_tag_is_not_found(client, path):
    answer = client.get(f"/actuator/metrics/{path}")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_tag_without_a_value_is_a_bad_request(client):
    answer = client.get("/actuator/metrics/jvm.memory.used?tag=heap")
    assert answer.status_code == 400
    assert "key:value" in answer.get_json(force=True)["detail"]


def test_jobs_and_bytes_are_told_by_state(client):
    assert value(client, "labserver.jobs?tag=state:DONE") == 3
    assert value(client, "labserver.jobs?tag=state:FAILED") == 1
    assert value(client, "labserver.jobs?tag=state:RUNNING") == 0
    assert value(client, "labserver.jobs") == 4
    assert value(client, "labserver.kept?tag=state:DONE") == value(client, "labserver.kept") == 300
    finished = body(client.get("/actuator/metrics/labserver.jobs.finished"))
    assert finished["measurements"] == [{"statistic": "COUNT", "value": 0.0}]
    assert finished["baseUnit"] is None


def test_the_oldest_results_age_goes_with_the_services_clock(build, clock):
    client = build()
    assert value(client, "labserver.kept.oldest") == 0
    store = client.application.extensions["labserver"].store
    store.put("a", JobResult(JobState.DONE, b"png", None, clock()))
    clock.now += 90.5
    store.put("b", JobResult(JobState.DONE, b"png", None, clock()))
    assert value(client, "labserver.kept.oldest") == 90.5
    clock.now -= 100  # a machine's clock may be set back; an age is never negative
    assert value(client, "labserver.kept.oldest") == 0


def test_every_listed_metric_and_link_can_be_had(client):
    names = body(client.get("/actuator/metrics"))["names"]
    assert names == sorted(names)
    assert "jvm.memory.used" in names
    for name in names:
        assert body(client.get(f"/actuator/metrics/{name}"))["name"] == name
    links = body(client.get("/actuator"))["_links"]
    assert links["metrics-requiredMetricName"] == {
        "href": "http://localhost/actuator/metrics/{requiredMetricName}",
        "templated": True,
    }
    for link in links.values():
        assert client.get(link["href"].replace("{requiredMetricName}", names[0])).status_code == 200


def test_where_nobody_measures_the_memory_it_is_not_made_up(build):
    client = build(memory=tuple)
    assert client.get("/actuator/metrics/jvm.memory.used").status_code == 404
    assert value(client, "jvm.threads.live") >= 1


def test_health_is_up_and_down_with_the_store(client, monkeypatch):
    assert body(client.get("/actuator/health")) == {"status": "UP"}

    def away():
        raise StoreUnavailable("away", 1)

    service = client.application.extensions["labserver"]
    monkeypatch.setattr(service, "live_jobs", away)
    answer = client.get("/actuator/health")
    assert (answer.status_code, answer.get_json(force=True)) == (503, {"status": "DOWN"})


def samples(client, **options):
    answer = client.get("/metrics", **options)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.get_data(as_text=True))
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_prometheus_reads_the_same_figures_and_the_processs(client):
    read = samples(client)
    assert read["labserver_jobs", "DONE"] == 3
    assert read["labserver_kept_bytes", "DONE"] == 300
    assert read["labserver_kept_bytes", "FAILED"] == 0
    assert read["jvm_memory_used_bytes", "heap", "small"] == 1000
    assert read["labserver_jobs_finished_total",] == 0
    if sys.platform == "linux":
        assert read["process_resident_memory_bytes",] > 10**7


def test_prometheus_may_ask_for_openmetrics(client):
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.content_type.startswith("application/openmetrics-text")
    assert answer.get_data(as_text=True).endswith("# EOF\n")


def test_without_prometheus_client_one_sentence_names_the_extra(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = client.get("/metrics")
    assert answer.status_code == 404
    assert "labserver[metrics]" in answer.get_json(force=True)["detail"]


PATHS = ["/actuator", "/actuator/health", "/actuator/metrics", "/actuator/metrics/jvm.memory.used", "/metrics"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("address", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8080", 200),
        ("127.8.9.1", "localhost", 200),
        ("::1", "[::1]:80", 200),
        ("::ffff:127.0.0.1", "localhost", 200),
        ("10.0.0.7", "localhost", 403),
        ("::ffff:10.0.0.7", "localhost", 403),
        ("127.0.0.1", "rebound.example", 403),
        ("127.0.0.1", "[", 403),
        ("", "localhost", 403),
    ],
)
def test_only_this_machine_is_answered_unless_told_otherwise(build, path, address, host, status):
    options = {"environ_overrides": {"REMOTE_ADDR": address, "HTTP_HOST": host}}
    assert build().get(path, **options).status_code == status
    if host != "[":
        assert build(public_diagnostics=True).get(path, **options).status_code == 200


def test_the_jobs_themselves_are_open_to_all(build):
    assert build().get("/health", environ_overrides={"REMOTE_ADDR": "10.0.0.7"}).status_code == 200
