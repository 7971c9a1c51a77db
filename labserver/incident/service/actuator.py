"""Diagnostics over HTTP: Spring Boot Actuator's JSON, so that its monitors read ours unchanged, and Prometheus' text.

They answer requests from this machine only, unless the settings say otherwise. A proxy on this machine is such a
client: it must not pass these paths on.
"""

import importlib
import ipaddress
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request, url_for

from labserver.incident.service.metrics import Metric, Sample, metrics_of
from labserver.incident.service.problems import Problem
from labserver.incident.service.runtime import current_service
from labserver.incident.service.stores import StoreUnavailable

diagnostics = Blueprint("actuator", __name__)

_ACTUATOR_JSON = "application/vnd.spring-boot.actuator.v3+json"


@diagnostics.before_request
def refuse_strangers() -> None:
    """Answer 403 to requests from elsewhere.

    A name that leads here may also have been sent by a page from elsewhere, in a browser on this machine, so the Host
    that was asked for counts as well (DNS rebinding).
    """
    if current_service().settings.public_diagnostics:
        return
    if not (_is_here(request.remote_addr) and _is_here(_host_name())):
        raise Problem(
            403,
            "/problems/local-only",
            "Diagnostics answer on this machine only",
            "Ask at a loopback address of the machine that the service runs on, or set public_diagnostics.",
        )


@diagnostics.get("/actuator")
def index() -> Response:
    """List the endpoints."""
    links = {
        "self": _link("index"),
        "health": _link("health"),
        "metrics": _link("metric_names"),
        "metrics-requiredMetricName": _link("metric_names", "/{requiredMetricName}"),
        "prometheus": _link("prometheus"),
    }
    return _answer({"_links": links})


@diagnostics.get("/actuator/health")
def health() -> Response:
    """Answer whether the service can work, which takes its store."""
    try:
        current_service().live_jobs()
    except StoreUnavailable:
        return _answer({"status": "DOWN"}, status=503)
    return _answer({"status": "UP"})


@diagnostics.get("/actuator/metrics")
def metric_names() -> Response:
    """List the metrics."""
    return _answer({"names": sorted(metric.name for metric in _metrics())})


@diagnostics.get("/actuator/metrics/<name>")
def metric(name: str) -> Response:
    """Return one metric, of the samples with the tags asked for (`?tag=area:heap`, repeatable) the sum."""
    wanted = list(_wanted_tags())
    found = next((metric for metric in _metrics() if metric.name == name), None)
    samples = [] if found is None else [s for s in found.samples if s.tags.items() >= set(wanted)]
    if found is None or not samples:
        raise Problem(
            404, "/problems/unknown-metric", "There is no such metric", "GET /actuator/metrics lists the metrics."
        )
    return _answer(
        {
            "name": found.name,
            "description": found.description,
            "baseUnit": found.unit,
            "measurements": [
                {
                    "statistic": "COUNT" if found.counts else "VALUE",
                    "value": float(sum(sample.value for sample in samples)),
                }
            ],
            "availableTags": [
                {"tag": tag, "values": values} for tag, values in _tags(samples).items() if tag not in dict(wanted)
            ],
        }
    )


@diagnostics.get("/metrics")
def prometheus() -> Response:
    """Return all metrics, and the process's own, in Prometheus' format, under the names that Micrometer gives them."""
    try:
        client: Any = importlib.import_module("prometheus_client")
        core: Any = importlib.import_module("prometheus_client.core")
    except ImportError:
        raise Problem(
            404,
            "/problems/no-prometheus",
            "Prometheus' format is not available",
            "The service's host needs the package prometheus-client: pip install 'labserver[metrics]'.",
        ) from None
    registry = client.CollectorRegistry()
    client.ProcessCollector(registry=registry)  # process_resident_memory_bytes and others, where there is /proc
    registry.register(_Collector(core, list(_metrics())))
    encode, content_type = client.exposition.choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type, headers={"Cache-Control": "no-store"})


class _Collector:
    """Hands metrics that have been read already to a registry of prometheus_client."""

    def __init__(self, core: Any, metrics: list[Metric]) -> None:
        self._core = core
        self._metrics = metrics

    def collect(self) -> Iterator[Any]:
        for metric in self._metrics:
            family = self._core.CounterMetricFamily if metric.counts else self._core.GaugeMetricFamily
            name = metric.name.replace(".", "_") + (f"_{metric.unit}" if metric.unit else "")
            labels = list(metric.samples[0].tags)
            collected = family(name, metric.description, labels=labels)
            for sample in metric.samples:
                collected.add_metric([sample.tags[label] for label in labels], sample.value)
            yield collected


def _metrics() -> Iterator[Metric]:
    return metrics_of(current_service())


def _wanted_tags() -> Iterator[tuple[str, str]]:
    for tag in request.args.getlist("tag"):
        name, colon, value = tag.partition(":")
        if not colon:
            raise Problem(
                400, "/problems/bad-tag", "A tag cannot be read", "Each tag parameter must be of the form key:value."
            )
        yield name, value


def _tags(samples: list[Sample]) -> dict[str, list[str]]:
    values: dict[str, dict[str, None]] = {}
    for sample in samples:
        for tag, value in sample.tags.items():
            values.setdefault(tag, {})[value] = None
    return {tag: list(distinct) for tag, distinct in values.items()}


def _link(endpoint: str, template: str = "") -> dict[str, Any]:
    return {"href": url_for(f"actuator.{endpoint}", _external=True) + template, "templated": bool(template)}


def _host_name() -> str | None:
    try:
        return urlsplit(f"//{request.host}").hostname
    except ValueError:
        return None


def _is_here(name: str | None) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # how a socket for both versions shows an IPv4 client
    return (mapped or address).is_loopback


def _answer(body: dict[str, Any], *, status: int = 200) -> Response:
    response = Response(json.dumps(body), status=status, content_type=_ACTUATOR_JSON)
    response.headers["Cache-Control"] = "no-store"
    return response
