"""The summary in the shape of k6's `--summary-export`, for what reads that already.

Source: https://grafana.com/docs/k6/latest/results-output/end-of-test/. Times are in milliseconds; what cannot be said
is null. As there, a threshold's value says whether it was crossed.
"""

import hashlib
from typing import Any

from labserver.load.metrics import Metrics, Trend


def k6_summary(summary: Metrics) -> dict[str, Any]:
    """Plain JSON values."""
    made = [(name, check.passes, check.fails) for name, check in summary.checks.items()]
    expected = summary.http_reqs - summary.http_req_failed
    metrics: dict[str, dict[str, Any]] = {
        _label("http_req_duration", tag): _trend(trend) for tag, trend in summary.http_req_duration.items()
    }
    for part in ("connecting", "sending", "waiting", "receiving"):
        metrics[f"http_req_{part}"] = _trend(getattr(summary, f"http_req_{part}"))
    metrics |= {
        "iteration_duration": _trend(summary.iteration_duration),
        "http_reqs": {"count": summary.http_reqs, "rate": summary.http_req_rate},
        "iterations": {"count": summary.iterations, "rate": summary.iteration_rate},
        "data_sent": {"count": summary.data_sent, "rate": summary.data_sent / summary.elapsed_s},
        "data_received": {"count": summary.data_received, "rate": summary.data_received / summary.elapsed_s},
        # A failed request is what this rate counts, so those are its passes: k6's own wording.
        "http_req_failed": {
            "passes": summary.http_req_failed,
            "fails": expected,
            "value": summary.http_req_failed_rate,
        },
        "checks": {
            "passes": sum(passes for _, passes, _ in made),
            "fails": sum(fails for _, _, fails in made),
            "value": summary.check_rate,
        },
        "vus": {"value": summary.vus, "min": summary.vus, "max": summary.vus},
        "vus_max": {"value": summary.vus, "min": summary.vus, "max": summary.vus},
    }
    for judged in summary.thresholds:
        metric = metrics.setdefault(judged.metric, {})
        metric.setdefault(judged.aggregation, judged.value)
        metric.setdefault("thresholds", {})[judged.expression] = not judged.ok
    return {"metrics": metrics, "root_group": _group(made)}


def _label(metric: str, tag: str) -> str:
    if tag == "all":
        return metric
    return f"{metric}{{{tag if ':' in tag else f'name:{tag}'}}}"


def _trend(trend: Trend) -> dict[str, Any]:
    figures = {
        "avg": trend.avg,
        "min": trend.min,
        "med": trend.med,
        "max": trend.max,
        "p(90)": trend.p90,
        "p(95)": trend.p95,
    }
    return {name: None if value is None else value * 1e3 for name, value in figures.items()}


def _group(made: list[tuple[str, int, int]]) -> dict[str, Any]:
    checks = {name: {**_named(name, f"::{name}"), "passes": passes, "fails": fails} for name, passes, fails in made}
    return {**_named("", ""), "groups": {}, "checks": checks}


def _named(name: str, path: str) -> dict[str, str]:
    return {"name": name, "path": path, "id": hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()}
