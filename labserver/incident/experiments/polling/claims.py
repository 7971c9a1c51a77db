"""What is claimed of the ways to poll."""

from collections.abc import Mapping, Sequence

from labserver.incident.experiments.polling.run import Endless, Herd
from labserver.incident.experiments.polling.server_cost import Bursts
from labserver.suite.findings import Findings

# Spread over twice the interval on average, polls meet half as often; a quarter is left for chance.
_SPREAD = 0.75
_FEWER = 0.5
_HOUR_S = 3600


def record_endless(findings: Findings, endless: Endless, users: int, cap: int, evidence: Sequence[str]) -> None:
    """Record what became of the capped clients and of the others.

    Args:
        findings: where they go.
        endless: both groups.
        users: in each.
        cap: polls after which the capped ones must have given up.
        evidence: files of figures.
    """
    _record_capped(findings, endless, users, cap, evidence)
    client = endless.unbounded
    each, later = len(client.polls) / users, endless.after_the_cap(client)
    rate = each / endless.observed_s * _HOUR_S
    findings.record("unbounded_polls_per_job", each, holds=each > cap, bound=f"more than {cap}", evidence=evidence)
    findings.record("unbounded_told", client.told, holds=client.ended_s is None, bound="none ends by itself")
    findings.record("unbounded_requests_after_cap", later, holds=later > 0, bound="it goes on", unit="requests")
    findings.measured("unbounded_requests_per_hour", rate, unit="1/h")
    held = client.connections_end
    findings.record("unbounded_connections_end", held, holds=held == users, bound="one for each client")
    held = endless.workers_held
    findings.record("worker_threads_held", held, holds=held == 2 * users, bound="one for each job, cap or no cap")
    findings.measured("observed_s", round(endless.observed_s, 2), unit="s")


def _record_capped(findings: Findings, endless: Endless, users: int, cap: int, evidence: Sequence[str]) -> None:
    client = endless.capped
    each, ended, later = len(client.polls) / users, client.ended_s, endless.after_the_cap(client)
    findings.record("capped_polls_per_job", each, holds=each == cap, bound=f"exactly {cap}", evidence=evidence)
    findings.record("capped_gave_up_after_s", ended, holds=ended is not None, bound="by itself", unit="s")
    told = client.told.removeprefix("job done: ")
    findings.record("capped_told", told, holds=told == f"not done after {cap} polls", bound="how often it has asked")
    # Zero is no news of clients that never gave up.
    gone = ended is not None and not later
    findings.record("capped_requests_after_cap", later, holds=gone, bound="none", unit="requests")
    held = client.connections_end
    findings.record("capped_connections_end", held, holds=ended is not None and held == 0, bound="none")


def record_cost(findings: Findings, bursts: Bursts, endless: Endless, evidence: Sequence[str]) -> None:
    """Record the server's processor time of a poll, and of all that each group sent."""
    poll = bursts.cpu_s_per_poll()
    findings.judge("cpu_ms_per_poll", poll.scaled(1e3), above=0, unit="ms", bound="above 0", evidence=evidence)
    for name, client in (("unbounded", endless.unbounded), ("capped", endless.capped)):
        findings.measured(f"{name}_cpu_s", poll.estimate * len(client.polls), unit="s")


def record_herds(findings: Findings, herds: Mapping[str, Herd], window_s: float, evidence: Sequence[str]) -> None:
    """Record peak, number and delay of the polls by each policy, and what the random part is claimed to do.

    Args:
        findings: where they go.
        herds: by the policy's name.
        window_s: seconds in which the most polls are counted.
        evidence: files of figures.
    """
    fixed = herds["fixed"]
    clients, most = len(fixed.notice_s), fixed.polls.peak(window_s)
    for name, herd in herds.items():
        peak, polls, notice = herd.polls.peak(window_s), len(herd.polls), herd.mean_notice
        spread = name in {"full_jitter", "retry_after"}
        findings.record(
            f"{name}_peak",
            peak,
            holds=peak <= _SPREAD * most if spread else peak >= clients / 2,
            unit=f"polls in {window_s * 1e3:.0f} ms",
            bound=f"at most {_SPREAD:.0%} of the fixed intervals' {most}"
            if spread
            else f"half of {clients} clients or more",
            evidence=evidence,
        )
        few = name != "retry_after" or polls <= _FEWER * len(fixed.polls)
        bound = f"at most half of the fixed intervals' {len(fixed.polls)}" if name == "retry_after" else ""
        findings.record(f"{name}_requests", polls, holds=few, unit="polls", bound=bound)
        findings.measured(f"{name}_notice_s", notice, unit="s")
