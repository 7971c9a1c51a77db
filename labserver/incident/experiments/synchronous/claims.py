"""What is claimed of the synchronous service, and of the queue that took its place."""

from collections.abc import Sequence

from labserver.incident.experiments.synchronous.measurements import Backlog, Impatience, Level, Overload
from labserver.incident.experiments.synchronous.run import Conditions
from labserver.incident.experiments.units import MIB
from labserver.suite.bound import at_least, at_most, between, says, within
from labserver.suite.declared import declares
from labserver.suite.findings import Findings

_INCIDENTS_INFERENCE_S = 30
# A queue may seem faster by chance, and by the time in which a synchronous request's thread takes in its photographs.
_CHANCE, _UPLOAD_S = 1.05, 0.05
# The figures that show what is claimed.
_LEVELS, _TIMEOUTS, _BACKLOG = ["figures/01_sweep.svg"], ["figures/01_timeouts.svg"], ["figures/01_backlog.svg"]
_BEFORE_AND_AFTER, _QUEUE = ["figures/01_sync_async.svg"], ["figures/01_queue.svg"]


@declares
def conditions(findings: Findings, conditions: Conditions, levels: Sequence[Level]) -> None:
    """Record what was set up, and what follows from it before anything is measured."""
    findings.measured("pool_threads", conditions.pool)
    findings.measured("inference_s", conditions.inference_s, unit="s")
    findings.measured("capacity_per_s", conditions.capacity, unit="1/s")
    findings.measured("capacity_at_30_s_per_s", conditions.pool / _INCIDENTS_INFERENCE_S, unit="1/s")
    findings.measured("users_above", levels[-1].users)


@declares
def levels(findings: Findings, conditions: Conditions, levels: Sequence[Level]) -> None:
    """Record that the pool caps the throughput, that users wait the longer for it, and that Little's law holds.

    Args:
        findings: where they go.
        conditions: of the measurements.
        levels: by the number of users, which passes the pool's size.
    """
    above, at_pool = levels[-1], min(levels, key=lambda level: abs(level.users - conditions.pool))
    worst = max(abs(level.littles_error) for level in levels)
    law = at_most(0.1, "|X·R/N − 1| at each level")
    findings.claim("littles_law_worst", worst, law, evidence=_LEVELS)
    capped = between(0.75 * conditions.capacity, 1.02 * conditions.capacity, "threads ÷ inference time")
    findings.claim("sync_throughput_above_per_s", above.throughput, capped, unit="1/s", evidence=_LEVELS)
    findings.measured("sync_response_at_pool_s", at_pool.response_s, unit="s")
    expected = above.users / conditions.pool * conditions.inference_s
    waits = between(0.9 * expected, 1.35 * expected, "users ÷ threads × inference time")
    findings.claim("sync_response_above_s", above.response_s, waits, unit="s", evidence=_LEVELS)


@declares
def health(findings: Findings, conditions: Conditions, levels: Sequence[Level]) -> None:
    """Record that `/health` waits in the same line: longer than a whole inference once all threads are taken."""
    below, above = levels[0], levels[-1]
    findings.measured("health_p95_below_ms", below.health_ms(95), unit="ms")
    findings.measured("health_p95_above_ms", above.health_ms(95), unit="ms")
    findings.measured("health_p50_below_ms", below.health_ms(50), unit="ms")
    starved = max(1000 * conditions.inference_s, 10 * below.health_ms(50))
    bound = at_least(starved, "an inference and ten times that with free threads")
    findings.claim("health_p50_above_ms", above.health_ms(50), bound, unit="ms", evidence=_LEVELS)


@declares
def impatience(findings: Findings, impatience: Impatience, timeout_s: float) -> None:
    """Record how many clients gave up, and how much of the AI service's work was for nobody.

    Args:
        findings: where they go.
        impatience: what became of the requests.
        timeout_s: seconds after which a client gave up.
    """
    findings.measured("client_timeout_s", timeout_s, unit="s")
    for name, share in (
        ("timed_out_share", impatience.timed_out_share),
        ("wasted_share", impatience.wasted_share),
    ):
        findings.claim(name, share, at_least(0.5, percent=True), evidence=_TIMEOUTS)


@declares
def backlog(findings: Findings, backlog: Backlog, rate: float) -> None:
    """Record that arrivals which do not wait for one another pile up at arrivals − capacity.

    Args:
        findings: where they go.
        backlog: of the synchronous service.
        rate: arrivals a second.
    """
    findings.measured("arrival_rate_per_s", rate, unit="1/s")
    findings.measured("backlog_growth_predicted_per_s", backlog.predicted_per_s, unit="1/s")
    bound = within(0.25, backlog.predicted_per_s, "arrivals − capacity")
    findings.claim("backlog_growth_per_s", backlog.growth_per_s, bound, unit="1/s", evidence=_BACKLOG)


@declares
def queue(findings: Findings, conditions: Conditions, before: Level, after: Level) -> None:
    """Record that behind a queue `/health` stays quick, and that throughput does not rise.

    Args:
        findings: where they go.
        conditions: of both measurements.
        before: what the users met at the synchronous service.
        after: what as many met at the queue.
    """
    findings.measured("async_health_p50_ms", after.health_ms(50), unit="ms")
    quick = at_most(before.health_ms(50) / 2, "half the median of the synchronous service")
    findings.claim("async_health_p95_ms", after.health_ms(95), quick, unit="ms", evidence=_BEFORE_AND_AFTER)
    most = _CHANCE + _UPLOAD_S / conditions.inference_s
    same = between(0.8, most, "of the synchronous throughput, which does not rise")
    findings.claim("async_throughput_ratio", after.throughput / before.throughput, same, evidence=_BEFORE_AND_AFTER)


@declares
def unbounded_queue(findings: Findings, unbounded: Overload, seconds: float) -> None:
    """Record how many jobs waited after so many seconds of overload in a queue without a bound."""
    predicted = unbounded.backlog.predicted_per_s * seconds
    bound = within(0.3, predicted, "(arrivals − capacity) × time")
    findings.claim("unbounded_queue_jobs", unbounded.most_waiting, bound, evidence=_QUEUE)
    findings.measured("unbounded_queue_mib", unbounded.bytes_waiting.max() / MIB, unit="MiB")


@declares
def bounded_queue(findings: Findings, bounded: Overload, queue_bound: int, slowest_s: float) -> None:
    """Record that a bounded queue keeps its bound, refuses politely, and serves whom it takes in time.

    Args:
        findings: where they go.
        bounded: what became of the jobs.
        queue_bound: jobs that may wait.
        slowest_s: seconds that a job may take from its arrival to its result as its client sees it: the time in which
            a full queue is worked off, an inference and a poll.
    """
    findings.measured("queue_bound", queue_bound)
    findings.claim("bounded_queue_jobs", bounded.most_waiting, at_most(queue_bound), evidence=_QUEUE)
    refused = bounded.refused_share
    findings.record(
        "bounded_refused_share",
        refused,
        holds=refused > 0 and bounded.politely_refused,
        bound=says("some, each by 503 with Retry-After"),
        evidence=_QUEUE,
    )
    in_time = at_most(1.5 * slowest_s, "1.5 × (queue ÷ capacity + inference + poll)")
    findings.claim("bounded_slowest_s", bounded.slowest_s, in_time, unit="s", evidence=_QUEUE)
