"""The samples of a run as they come, in files of k6's formats.

Sources: https://grafana.com/docs/k6/latest/results-output/real-time/json/ and …/csv/. As there, times are in
milliseconds and stand at the end of what they time, and the files are written anew. What got no answer has no duration
here (k6 says 0): its `http_req_failed` is 1 and its tags say why.
"""

import csv
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from labserver.errors import UsageError

if TYPE_CHECKING:
    from labserver.load.http import RequestRecord

Tags = Mapping[str, str]

METRICS = {
    "http_reqs": ("counter", "default"),
    "http_req_duration": ("trend", "time"),
    "http_req_connecting": ("trend", "time"),
    "http_req_sending": ("trend", "time"),
    "http_req_waiting": ("trend", "time"),
    "http_req_receiving": ("trend", "time"),
    "http_req_failed": ("rate", "default"),
    "data_sent": ("counter", "data"),
    "data_received": ("counter", "data"),
    "checks": ("rate", "default"),
    "iterations": ("counter", "default"),
    "iteration_duration": ("trend", "time"),
    "vus": ("gauge", "default"),
}
"""k6's metrics that are written, each with its type and what it contains."""
_FORMATS = ("json", "csv")
_SCREENS = ("-", "/dev/stdout", "/dev/stderr")  # of another process, which writes them
_CSV_TAGS = (
    "check", "error", "error_code", "expected_response", "group", "method", "name", "proto", "scenario", "service",
    "status", "subproto", "tls_version", "url",
)  # fmt: skip


_EVERYWHERE = {"group": "", "scenario": "default"}


class Output(Protocol):
    """A file in one format."""

    def point(self, metric: str, at_s: float, value: float, tags: Tags) -> None:
        """Write one value; `at_s` is Unix time."""

    def flush(self) -> None:
        """Hand what was written to the system."""

    def close(self) -> None:
        """Close the file."""


class JsonLines:
    """One JSON value a line; a metric is declared before its first point."""

    def __init__(self, file: IO[str], thresholds: Sequence[tuple[str, str]] = ()) -> None:
        self._file = file
        self._thresholds = thresholds
        self._declared: set[str] = set()
        self.flush, self.close = file.flush, file.close

    def point(self, metric: str, at_s: float, value: float, tags: Tags) -> None:
        """Write one value, and before its metric's first one the metric."""
        if metric not in self._declared:
            self._declared.add(metric)
            kind, contains = METRICS[metric]
            held = [expression for name, expression in self._thresholds if name == metric]
            about = {"name": metric, "type": kind, "contains": contains, "thresholds": held, "submetrics": None}
            self._line({"type": "Metric", "data": about, "metric": metric})
        at = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self._line({"metric": metric, "type": "Point", "data": {"time": at, "value": value, "tags": dict(tags)}})

    def _line(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n")


class CsvLines:
    """k6's columns; times are whole Unix seconds, as is its default."""

    def __init__(self, file: IO[str]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(("metric_name", "timestamp", "metric_value", *_CSV_TAGS, "extra_tags", "metadata"))
        self.flush, self.close = file.flush, file.close

    def point(self, metric: str, at_s: float, value: float, tags: Tags) -> None:
        """Write one value."""
        self._writer.writerow((metric, int(at_s), f"{value:.6f}", *(tags.get(name, "") for name in _CSV_TAGS), "", ""))


class Outputs:
    """All files of a run; the caller sees to it that one thread at a time writes."""

    def __init__(self, outputs: Sequence[Output] = ()) -> None:
        self._outputs = outputs

    def request(self, record: "RequestRecord") -> None:
        """Write what one request was."""
        if not self._outputs:
            return
        tags = {
            "expected_response": str(record.went_well).lower(), "method": record.method, "name": record.name,
            "status": str(record.status or 0), "url": record.url, "proto": "HTTP/1.1", **_EVERYWHERE,
        }  # fmt: skip
        if record.error is not None:
            tags["error"] = record.error
        values: dict[str, float] = {"http_reqs": 1, "http_req_failed": int(not record.went_well)}
        if record.error is None:
            parts = ("duration", "connecting", "sending", "waiting", "receiving")
            values |= {f"http_req_{part}": getattr(record, part) * 1e3 for part in parts}
        values |= {"data_sent": record.sent, "data_received": record.received}
        self._write(values, tags)

    def check(self, name: str, ok: bool) -> None:
        """Write one check."""
        self._write({"checks": int(ok)}, {"check": name, **_EVERYWHERE})

    def iteration(self, seconds: float) -> None:
        """Write one finished iteration."""
        self._write({"iterations": 1, "iteration_duration": seconds * 1e3}, _EVERYWHERE)

    def tick(self, running: int) -> None:
        """Write how many users are at work, and let the files be read up to here."""
        self._write({"vus": running}, {})
        for output in self._outputs:
            output.flush()

    def close(self) -> None:
        """Close the files."""
        for output in self._outputs:
            output.close()

    def _write(self, values: Mapping[str, float], tags: Tags) -> None:
        at = time.time()
        for output in self._outputs:
            for metric, value in values.items():
                output.point(metric, at, value, tags)


def parse_output(text: str) -> tuple[str, Path]:
    """Format and file of `json=FILE` or `csv=FILE`.

    Raises:
        UsageError: it is neither, or the file cannot be written.
    """
    kind, equals, name = text.partition("=")
    if kind not in _FORMATS or not equals or not name or name in _SCREENS:
        raise UsageError(f"{text!r} is no output: give it as json=FILE or csv=FILE.")
    path = Path(name).absolute()
    was_there = path.exists()
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise UsageError(f"The output {path} cannot be written ({error.strerror}).") from error
    if not was_there:  # whatever else is wrong leaves no file behind
        path.unlink()
    return kind, path


def open_outputs(texts: Sequence[str], thresholds: Sequence[tuple[str, str]] = ()) -> Outputs:
    """Open the files, each written anew.

    Args:
        texts: `json=FILE` or `csv=FILE`.
        thresholds: metric and expression of each; the JSON file declares those of whole metrics.

    Raises:
        UsageError: see `parse_output`, or a file is named twice.
    """
    parsed = [parse_output(text) for text in texts]
    if len({path for _, path in parsed}) < len(parsed):
        raise UsageError("Two outputs cannot go to one file.")
    outputs: list[Output] = []
    for kind, path in parsed:
        file = path.open("w", newline="", encoding="utf-8")
        outputs.append(JsonLines(file, thresholds) if kind == "json" else CsvLines(file))
    return Outputs(outputs)
