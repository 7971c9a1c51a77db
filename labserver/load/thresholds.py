"""Thresholds in k6's syntax: `http_req_duration{name:status}:p(95)<500`, `checks:rate>0.99`, `heap_bytes:max<200e6`.

Source: https://grafana.com/docs/k6/latest/using-k6/thresholds/. Times are in milliseconds. What cannot be said (a
percentile that falls among requests without an answer, a metric without a value) does not hold.
"""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from labserver.errors import UsageError
from labserver.names import closest

_TREND = ("avg", "min", "med", "max", "p(N)")
AGGREGATIONS: dict[str, tuple[str, ...]] = {
    "trend": _TREND,
    "rate": ("rate",),
    "counter": ("count", "rate"),
    "gauge": ("value", *_TREND),
    "value": ("value",),
}
"""What can be asked of each type of metric."""

METRICS = {
    "http_req_duration": "trend",
    "http_req_connecting": "trend",
    "http_req_sending": "trend",
    "http_req_waiting": "trend",
    "http_req_receiving": "trend",
    "http_req_failed": "rate",
    "http_reqs": "counter",
    "iteration_duration": "trend",
    "iterations": "counter",
    "checks": "rate",
    "data_sent": "counter",
    "data_received": "counter",
    "heap_bytes": "gauge",
    "bytes_per_job": "value",
}
"""Each metric's type; the last two are read from the service while the load runs."""

OF_THE_SERVICE = ("heap_bytes", "bytes_per_job")
TAGS = {"checks": ("check",)} | dict.fromkeys(
    [name for name in METRICS if name.startswith("http_")], ("name", "expected_response")
)
"""By which tags a metric can be narrowed."""

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "===": operator.eq,
    "!=": operator.ne,
}
_SLIPS = {"=": "==", "=<": "<=", "=>": ">=", "<>": "!="}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SHAPE = re.compile(
    rf"(?P<metric>[^:{{<>=!\s]+)\s*(?:\{{(?P<tag>[^:}}]+):(?P<value>[^}}]*)\}})?\s*"
    rf"(?::\s*(?P<aggregation>[^<>=!\s]+))?\s*(?P<operator>[<>=!~]+)\s*(?P<bound>{_NUMBER})"
)
_PERCENTILE = re.compile(rf"p\(({_NUMBER})\)")


class Threshold(NamedTuple):
    """One claim about a metric.

    Attributes:
        metric: its name.
        tag: name and value that narrow it, or None.
        aggregation: `avg`, `p(95)` and the like.
        operator: of `OPERATORS`.
        bound: in milliseconds, bytes, or a share from 0 to 1.
    """

    metric: str
    tag: tuple[str, str] | None
    aggregation: str
    operator: str
    bound: float

    @property
    def label(self) -> str:
        """The metric with its tag, as k6 writes it."""
        return self.metric + (f"{{{self.tag[0]}:{self.tag[1]}}}" if self.tag else "")

    @property
    def expression(self) -> str:
        """The claim without its metric."""
        return f"{self.aggregation}{self.operator}{self.bound:.12g}"

    @property
    def percentile(self) -> float | None:
        """N of `p(N)`."""
        found = _PERCENTILE.fullmatch(self.aggregation)
        return float(found[1]) if found else None

    def judged(self, value: float | None) -> "Judged":
        """Hold it against the value; what has none does not hold."""
        ok = value is not None and OPERATORS[self.operator](value, self.bound)
        return Judged(self.label, self.expression, self.aggregation, value, ok)


@dataclass(frozen=True, slots=True)
class Judged:
    """A threshold and how it fared.

    Attributes:
        metric: with its tag.
        expression: the claim.
        aggregation: what of the metric was held against the bound.
        value: of it, in the bound's unit; None where it cannot be said.
        ok: whether it holds.
    """

    metric: str
    expression: str
    aggregation: str
    value: float | None
    ok: bool


def parse_threshold(text: str, tags: Mapping[str, Collection[str]] | None = None) -> Threshold:
    """What a threshold's text means.

    Args:
        text: `metric[{tag:value}][:aggregation] operator number`.
        tags: the values that are known of each tag; without it any value is taken.

    Raises:
        UsageError: it cannot be read, with the nearest right name.
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"The threshold {text!r} cannot be read: write metric:aggregation, an operator and a number, such as "
            "'http_req_duration:p(95)<500'."
        )
    metric = _known(found["metric"], METRICS, text, "metric")
    tag = None
    if found["tag"] is not None:
        if metric not in TAGS:
            raise UsageError(f"The threshold {text!r}: {metric} cannot be narrowed by a tag.")
        name, value = _known(found["tag"].strip(), TAGS[metric], text, "tag"), found["value"].strip()
        tag = name, value if tags is None else _known(value, tags[name], text, name)
    aggregation = _aggregation(found["aggregation"], metric, text)
    return Threshold(
        metric, tag, aggregation, _known(found["operator"], OPERATORS, text, "operator"), float(found["bound"])
    )


def _aggregation(written: str | None, metric: str, text: str) -> str:
    allowed = AGGREGATIONS[METRICS[metric]]
    if written is None and len(allowed) == 1:
        return allowed[0]
    percentile = _PERCENTILE.fullmatch(written or "")
    if percentile and "p(N)" in allowed:
        if not 0 <= float(percentile[1]) <= 100:
            raise UsageError(f"The threshold {text!r}: a percentile lies from 0 to 100.")
        return written or ""
    if written is None or written == "p(N)":
        raise UsageError(f"The threshold {text!r}: say what of {metric} is meant: {', '.join(allowed)}.")
    return _known(written, allowed, text, f"aggregation of {metric}")


def _known(word: str, known: Collection[str], text: str, what: str) -> str:
    if word in known:
        return word
    nearest = _SLIPS.get(word) or closest(word, known)
    raise UsageError(
        f"The threshold {text!r}: {word!r} is no {what}; did you mean {nearest!r}? Known are {', '.join(known)}."
    )
