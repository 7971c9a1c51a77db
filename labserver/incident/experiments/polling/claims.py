"""What is claimed of the ways to poll."""

from collections.abc import Mapping

from labserver.incident.experiments.polling.measurements import EndlessPolling, Herd
from labserver.incident.experiments.polling.server_cost import Bursts
from labserver.suite.bound import Phrase, above, at_least, at_most, exactly, says
from labserver.suite.declared import declares
from labserver.suite.findings import Findings

# Spread over twice the interval on average, polls meet half as often; a quarter is left for chance.
_SPREAD = 0.75
_DISPERSING = {"full_jitter", "retry_after"}
_HOUR_S = 3600
# The figures that show what is claimed.
_REQUESTS, _COST = ["figures/05_requests.svg"], ["figures/05_cpu.svg"]
_HERDS = ["figures/05_herd.svg", "figures/05_policies.svg"]


@declares
def settings(findings: Findings, *, poll_interval_s: float, cap: int) -> None:
    """Record how often the endless clients polled, and after how many polls and seconds the cap ends it."""
    findings.measured("poll_interval_s", poll_interval_s, unit="s")
    findings.measured("cap_polls", cap)
    findings.measured("cap_s", cap * poll_interval_s, unit="s")


@declares
def unbounded(findings: Findings, endless: EndlessPolling, users: int, cap: int) -> None:
    """Record that clients without a cap go on until they are stopped, and hold what they have.

    Args:
        findings: where they go.
        endless: both groups.
        users: in each.
        cap: polls after which the capped ones must have given up.
    """
    group = endless.unbounded
    each = len(group.polls) / users
    findings.claim("unbounded_polls_per_job", each, above(cap), evidence=_REQUESTS)
    findings.record("unbounded_told", group.told, holds=group.ended_s is None, bound=says("none ends by itself"))
    later = endless.after_the_cap(group)
    findings.claim("unbounded_requests_after_cap", later, above(0, "it goes on"), unit="requests")
    findings.measured("unbounded_requests_per_hour", each / endless.observed_s * _HOUR_S, unit="1/h")
    findings.claim("unbounded_connections_end", group.connections_end, exactly(users, "one for each client"))
    threads = exactly(2 * users, "one for each job, cap or no cap")
    findings.claim("worker_threads_held", endless.workers_held, threads)
    findings.measured("observed_s", round(endless.observed_s, 2), unit="s")


@declares
def capped(findings: Findings, endless: EndlessPolling, users: int, cap: int) -> None:
    """Record that capped clients poll as often as they may, say so at the end, and hold nothing; see the others."""
    group = endless.capped
    ended, later, held = group.ended_s, endless.after_the_cap(group), group.connections_end
    findings.claim("capped_polls_per_job", len(group.polls) / users, exactly(cap), evidence=_REQUESTS)
    findings.record("capped_gave_up_after_s", ended, holds=ended is not None, bound=says("by itself"), unit="s")
    told, due = group.told.removeprefix("job done: "), Phrase("not done after {polls} polls", {"polls": cap})
    how_often = told == str(due)
    findings.record("capped_told", due if how_often else told, holds=how_often, bound=says("how often it has asked"))
    # Zero is no news of clients that never gave up.
    gone = ended is not None
    findings.record("capped_requests_after_cap", later, holds=gone and later == 0, bound=says("none"), unit="requests")
    findings.record("capped_connections_end", held, holds=gone and held == 0, bound=says("none"))


@declares
def cost(findings: Findings, bursts: Bursts, endless: EndlessPolling) -> None:
    """Record the server's processor time of a poll, and of all that each group sent."""
    poll = bursts.cpu_s_per_poll()
    findings.claim("cpu_ms_per_poll", poll.scaled(1e3), above(0), unit="ms", evidence=_COST)
    for name, group in (("unbounded", endless.unbounded), ("capped", endless.capped)):
        findings.measured(f"{name}_cpu_s", poll.estimate * len(group.polls), unit="s")


@declares
def herd_settings(findings: Findings, *, clients: int, poll_s: float, job_s: float, window_s: float) -> None:
    """Record the herd's size, its interval, how long its jobs take, and the window in which polls are counted."""
    findings.measured("herd_clients", clients)
    findings.measured("herd_poll_s", poll_s, unit="s")
    findings.measured("herd_job_s", job_s, unit="s")
    findings.measured("herd_window_s", window_s, unit="s")


@declares
def herds(findings: Findings, herds: Mapping[str, Herd], window_s: float) -> None:
    """Record peak, number and delay of the polls by each policy, and that only a random part disperses a herd.

    Args:
        findings: where they go.
        herds: by the policy's name.
        window_s: seconds in which the most polls are counted.
    """
    fixed = herds["fixed"]
    clients, most, polls = len(fixed.notice_s), fixed.polls.peak(window_s), len(fixed.polls)
    dispersed = at_most(_SPREAD * most, "{share:.0%} of the fixed intervals' {most}", share=_SPREAD, most=most)
    together = at_least(clients / 2, "half of {clients} clients", clients=clients)
    unit = Phrase("polls in {milliseconds:.0f} ms", {"milliseconds": window_s * 1e3})
    for name, herd in herds.items():
        peak, bound = herd.polls.peak(window_s), dispersed if name in _DISPERSING else together
        findings.claim(f"{name}_peak", peak, bound, unit=unit, evidence=_HERDS)
        if name == "retry_after":
            few = at_most(polls / 2, "half of the fixed intervals' {polls}", polls=polls)
            findings.claim(f"{name}_requests", len(herd.polls), few, unit="polls")
        else:
            findings.measured(f"{name}_requests", len(herd.polls), unit="polls")
        findings.measured(f"{name}_notice_s", herd.mean_notice, unit="s")
