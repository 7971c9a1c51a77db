"""The summary as text, in the layout of k6's end-of-test metrics."""

import textwrap
from collections.abc import Iterator

from labserver.load.metrics import Metrics, Trend
from labserver.load.thresholds import Judged

WIDTH = 28
LINE = 104
"""What JupyterLab shows on one line in a window of 1280 pixels, beside its file browser."""
NOTHING = "—"


def render(metrics: Metrics) -> str:
    """The whole table, without a newline at the end: one metric a line, which goes on below where it is too long."""
    lines = [
        *_thresholds(metrics), *_checks(metrics), "", *_http(metrics), "", *_execution(metrics), "", *_audit(metrics)
    ]  # fmt: skip
    return "\n".join(piece for line in lines for piece in _fitted(line))


def _fitted(line: str) -> list[str]:
    """The line in pieces of at most `LINE` characters, the later ones below its figures or its text."""
    below = " " * (WIDTH + 4 if line[WIDTH + 2 : WIDTH + 4] == ": " else 6)
    return textwrap.wrap(line, LINE, subsequent_indent=below, break_on_hyphens=False) or [""]


def _thresholds(metrics: Metrics) -> Iterator[str]:
    if not metrics.thresholds:
        return
    yield "  thresholds"
    for metric in dict.fromkeys(judged.metric for judged in metrics.thresholds):
        yield f"    {metric}"
        for judged in metrics.thresholds:
            if judged.metric == metric:
                yield f"      {'✓' if judged.ok else '✗'} '{judged.expression}' {judged.aggregation}={_judged(judged)}"
    yield ""


def _judged(judged: Judged) -> str:
    metric, value = judged.metric.partition("{")[0], judged.value
    if value is None:
        return NOTHING
    if metric.endswith("_duration") or (metric.startswith("http_req_") and metric != "http_req_failed"):
        return _time(value / 1e3)
    if judged.aggregation == "rate":
        return _percent(value) if metric in {"checks", "http_req_failed"} else f"{value:.2f}/s"
    return f"{value:,.0f}" + (" B" if "bytes" in metric or metric.startswith("data_") else "")


def _checks(metrics: Metrics) -> Iterator[str]:
    passed = sum(check.passes for check in metrics.checks.values())
    made = passed + sum(check.fails for check in metrics.checks.values())
    yield _line("checks", f"{_percent(metrics.check_rate)}  {passed} out of {made}")
    for name, check in metrics.checks.items():
        counts = f"  {check.passes} passed, {check.fails} failed" if check.fails else ""
        yield f"    {'✗' if check.fails else '✓'} {name}{counts}"
    if metrics.first_failure:
        yield f"    first failure: {metrics.first_failure}"


def _http(metrics: Metrics) -> Iterator[str]:
    for tag, trend in metrics.http_req_duration.items():
        plain = tag == "all"
        label = "http_req_duration" if plain else f"  {{ {tag if ':' in tag else f'name:{tag}'} }}"
        yield _line(label, _trend(trend))
    yield _line("http_req_connecting", _trend(metrics.http_req_connecting))
    failed = f"{metrics.http_req_failed} out of {metrics.http_reqs}"
    kinds = "".join(f", {count} {kind}" for kind, count in metrics.errors.items())
    yield _line("http_req_failed", f"{_percent(metrics.http_req_failed_rate)}  {failed}{kinds}")
    yield _line("http_reqs", f"{metrics.http_reqs}  {metrics.http_req_rate:.2f}/s")


def _execution(metrics: Metrics) -> Iterator[str]:
    yield _line("iteration_duration", _trend(metrics.iteration_duration))
    interrupted = f"  {metrics.interrupted_iterations} interrupted" if metrics.interrupted_iterations else ""
    yield _line("iterations", f"{metrics.iterations}  {metrics.iteration_rate:.2f}/s{interrupted}")
    yield _line("vus", f"{metrics.vus}  for {metrics.elapsed_s:.1f} s")
    yield _line("data_sent", f"{_size(metrics.data_sent)}  {_size(metrics.data_sent / metrics.elapsed_s)}/s")
    yield _line(
        "data_received", f"{_size(metrics.data_received)}  {_size(metrics.data_received / metrics.elapsed_s)}/s"
    )
    png = metrics.png_bytes
    if png.mean is not None:
        yield _line(
            "png_size", f"mean={_size(png.mean)} min={_size(png.min or 0)} max={_size(png.max or 0)} n={png.count}"
        )


def _audit(metrics: Metrics) -> Iterator[str]:
    law = metrics.littles_law
    ratio = NOTHING if law.ratio is None else f"{law.ratio:.2f}"
    yield _line("littles_law", f"N={law.users} X·R={law.busy_users:.2f} ratio={ratio}")
    used = metrics.generator
    yield _line("generator", f"cpu={used.cpu_seconds:.2f}s ({used.cpu_share:.0%} of a core) rss={_size(used.peak_rss)}")
    yield from (f"  note: {note}" for note in metrics.notes)


def _line(label: str, text: str) -> str:
    return f"  {label.ljust(WIDTH, '.')}: {text}"


def _trend(trend: Trend) -> str:
    figures = {"avg": trend.avg, "min": trend.min, "med": trend.med, "max": trend.max}
    figures |= {"p(90)": trend.p90, "p(95)": trend.p95}
    text = " ".join(f"{name}={_time(value, short=True)}" for name, value in figures.items())
    if not trend.unanswered:
        return text
    return f"{text}  ({trend.unanswered} unanswered: slower than any in the percentiles, not in avg, min and max)"


def _time(seconds: float | None, *, short: bool = False) -> str:
    """A time in two decimals; in three digits where it is short, so that six stand on a line."""
    if seconds is None:
        return NOTHING
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f}µs"
    scaled, unit = (seconds, "s") if seconds >= 1 else (seconds * 1e3, "ms")
    decimals = 2 if not short or scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{decimals}f}{unit}"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.2%}"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
