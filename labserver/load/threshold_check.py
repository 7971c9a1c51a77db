"""Holds a run's samples against its thresholds; in the generator's process, where the samples are."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from labserver.load.samples import Samples
from labserver.load.summarise import percentile
from labserver.load.thresholds import Judged, Threshold

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def judge(thresholds: Sequence[Threshold], samples: Samples, elapsed_s: float) -> list[Judged]:
    """How each threshold fares.

    Args:
        thresholds: about the load's own metrics.
        samples: of the run.
        elapsed_s: seconds that every rate divides by.
    """
    return [threshold.judged(_value(threshold, samples, elapsed_s)) for threshold in thresholds]


def aggregate(threshold: Threshold, values: Floats) -> float | None:
    """One figure of many; infinite ones got no answer, and count in percentiles only."""
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return None
    simple = {"avg": known.mean(), "min": known[0], "max": known[-1], "value": values[-1]}
    if threshold.aggregation in simple:
        return float(simple[threshold.aggregation])
    return percentile(known, len(values), 50.0 if threshold.percentile is None else threshold.percentile)


def _value(threshold: Threshold, samples: Samples, elapsed_s: float) -> float | None:
    metric = threshold.metric
    if metric == "checks":
        wanted = [threshold.tag[1]] if threshold.tag else list(samples.checks)
        counts = [samples.checks.get(name, [0, 0]) for name in wanted]
        return _share(sum(passed for passed, _ in counts), sum(map(sum, counts)))
    if metric.startswith("http_"):
        return _of_requests(threshold, samples, elapsed_s)
    if metric == "iteration_duration":
        finished = np.array(samples.iteration_ok, dtype=bool)
        return aggregate(threshold, np.where(finished, np.array(samples.iteration_s) * 1e3, np.inf))
    counts_of = {"iterations": len(samples.iteration_s), "data_sent": samples.sent, "data_received": samples.received}
    return _counted(threshold, counts_of[metric], elapsed_s)


def _of_requests(threshold: Threshold, samples: Samples, elapsed_s: float) -> float | None:
    answered = np.isfinite(np.array(samples.duration))
    status = np.array(samples.status)
    expected = answered & (status >= 200) & (status < 400)
    chosen = _chosen(threshold, samples, expected)
    if threshold.metric == "http_reqs":
        return _counted(threshold, int(chosen.sum()), elapsed_s)
    if threshold.metric == "http_req_failed":
        return _share(int((chosen & ~expected).sum()), int(chosen.sum()))
    times = np.array(getattr(samples, threshold.metric.removeprefix("http_req_"))) * 1e3
    # The parts of a request without an answer are no times of the server's.
    return aggregate(threshold, times[chosen] if threshold.metric == "http_req_duration" else times[chosen & answered])


def _chosen(threshold: Threshold, samples: Samples, expected: Mask) -> Mask:
    if threshold.tag is None:
        return np.ones(len(expected), dtype=bool)
    name, value = threshold.tag
    if name == "expected_response":
        return expected if value == "true" else ~expected
    code = samples.names.index(value) if value in samples.names else -1
    found: Mask = np.array(samples.name_code, dtype=int) == code
    return found


def _counted(threshold: Threshold, count: int, elapsed_s: float) -> float:
    return float(count) if threshold.aggregation == "count" else count / elapsed_s


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
