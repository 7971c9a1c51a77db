"""What was observed under a service's own traffic, in words: how much an hour, how old, and at what cost."""

from labserver.amounts import count, duration, number, rough_size
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.diagnosis.traffic import HolderPace, Traffic
from labserver.diagnosis.verdict import Verdict
from labserver.stats.interval import Interval


def traffic_sentence(traffic: Traffic) -> str:
    """How long it was observed, and what came meanwhile."""
    jobs = "jobs that nobody counted" if traffic.jobs is None else count(traffic.jobs, "job")
    seen = f"{count(traffic.looks.count, 'look')} at its heap"
    return f"observed for {duration(traffic.seconds)} under its own traffic, {jobs}, {seen}"


def hourly_sentence(result: CheckResult) -> str:
    """What a leak comes to in an hour, and in a day; empty where there is none, or nobody observed."""
    traffic = result.traffic
    if traffic is None or traffic.bytes_per_hour is None or result.verdict is not Verdict.LEAK:
        return ""
    hourly = traffic.bytes_per_hour
    daily = f"{rough_size(24 * hourly.estimate)} a day"
    return f"At the pace of its traffic that is {rough_size(hourly.estimate)} an hour ({_span(hourly)}), {daily}."


def pace_sentence(result: CheckResult, holder: NamedHolder) -> str:
    """How fast a holder gains what lasts, and how long it has kept it; empty where nobody observed."""
    traffic = result.traffic
    pace = None if traffic is None else traffic.of(holder.fingerprint)
    if traffic is None or pace is None or pace.bytes_per_hour is None:
        return ""
    parts = [f"{number(pace.items_per_hour)} items an hour"]
    if pace.items_per_1000_jobs is not None:
        parts.insert(0, f"{_few(pace.items_per_1000_jobs)} items per 1,000 jobs")
    size = f"{rough_size(pace.bytes_per_hour.estimate)} an hour ({_span(pace.bytes_per_hour)})"
    return f"gains what stays: {', '.join(parts)}, {size}; {_age(pace)}"


def _age(pace: HolderPace) -> str:
    kept = f"the oldest of these have been there for {duration(pace.oldest_s)}"
    if pace.since_s < 1:
        return f"{kept}, from the first look on"
    return f"{kept}, since {duration(pace.since_s)} after the first look"


def _span(interval: Interval) -> str:
    bounds = f"{rough_size(interval.low)} to {rough_size(interval.high)}"
    return f"{bounds}, {100 * interval.confidence:g} %"


def _few(value: float) -> str:
    """A rate that may be below one: two digits that say something."""
    return number(value) if value >= 10 else f"{value:.2g}"
