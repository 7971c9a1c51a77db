from types import SimpleNamespace

import numpy as np

from labserver.incident.experiments.polling.measurements import ClientGroup, EndlessPolling, Herd, Polls
from labserver.incident.experiments.polling.server_cost import Bursts

CLIENTS, CAP, POLL_S, OBSERVED_S, WINDOW_S = 4, 40, 0.08, 4.8, 0.1
HERD = 40
TOLD = f"job done: not done after {CAP} polls"


def polls(starts):
    starts = np.sort(np.asarray(starts, dtype=float))
    return Polls(starts, starts + 0.01, tuple(str(n % CLIENTS) for n in range(len(starts))))


def until(end_s, *late):
    """The polls of a group whose clients poll together, and some more."""
    return polls([*np.repeat(np.arange(1, round(end_s / POLL_S) + 1) * POLL_S, CLIENTS), *late])


def client(polls, *, ended_s=None, told=None, connections=0):
    return ClientGroup(polls, SimpleNamespace(first_failure=told), connections, ended_s)


CAPPED = client(until(CAP * POLL_S), ended_s=3.2, told=TOLD)
ENDLESS = client(until(OBSERVED_S), connections=CLIENTS)
TOGETHER = polls(np.repeat(np.arange(1.0, 5.0), HERD))
SPREAD = polls(np.linspace(0, 4, 3 * HERD))
GOOD = {
    "capped": CAPPED,
    "unbounded": ENDLESS,
    "workers_held": 2 * CLIENTS,
    "poll_ms": 1.0,
    "scatter_ms": 0.1,
    "fixed": TOGETHER,
    "exponential": polls(np.repeat([1.0, 3.0], HERD)),
    "full_jitter": SPREAD,
    "retry_after": polls(np.linspace(2, 2.5, HERD)),
}


def bursts(poll_ms, scatter_ms):
    """What the polls cost scatters from burst to burst, and the idle server uses a hundredth of the time."""
    off = np.tile([-1.0, 1.0], 4)
    return Bursts(100, 0.005 + 0.1 * (poll_ms + scatter_ms * off), np.full(8, 0.005))


def run(given):
    endless = EndlessPolling(given.capped, given.unbounded, 0.0, OBSERVED_S, given.workers_held)
    policies = ("fixed", "exponential", "full_jitter", "retry_after")
    notice = np.linspace(0.0, 0.4, HERD)
    herds = {name: Herd(name.replace("_", "-"), getattr(given, name), 0.0, notice) for name in policies}
    costs = bursts(given.poll_ms, given.scatter_ms)
    return {"endless": endless, "costs": costs, "herds": herds, "window_s": WINDOW_S}


CAUSES = {
    "the cap is taken away": (
        {"capped": client(until(OBSERVED_S), connections=CLIENTS)},
        {
            "capped_polls_per_job",
            "capped_gave_up_after_s",
            "capped_told",
            "capped_requests_after_cap",
            "capped_connections_end",
            "unbounded_requests_after_cap",  # there was no such moment
        },
    ),
    "the cap is lower": (
        {"capped": client(until(20 * POLL_S), ended_s=1.6, told="job done: not done after 20 polls")},
        {"capped_polls_per_job", "capped_told"},
    ),
    "who has given up asks once more": (
        {"capped": client(until(CAP * POLL_S, 4.0), ended_s=3.2, told=TOLD)},
        {"capped_polls_per_job", "capped_requests_after_cap"},
    ),
    "who has given up keeps its connection": (
        {"capped": client(CAPPED.polls, ended_s=3.2, told=TOLD, connections=1)},
        {"capped_connections_end"},
    ),
    "who gives up does not say why": (
        {"capped": client(CAPPED.polls, ended_s=3.2, told="job done: no answer")},
        {"capped_told"},
    ),
    "the others have a cap, too": (
        {"unbounded": CAPPED},
        {
            "unbounded_polls_per_job",
            "unbounded_told",
            "unbounded_requests_after_cap",
            "unbounded_connections_end",
        },
    ),
    "giving up frees the worker": ({"workers_held": CLIENTS}, {"worker_threads_held"}),
    "a poll costs nothing that could be seen": ({"poll_ms": 0.0}, {"cpu_ms_per_poll"}),
    "what a poll costs is less than its scatter": ({"scatter_ms": 1.0}, {"cpu_ms_per_poll"}),
    "jitter that is none": ({"full_jitter": TOGETHER}, {"full_jitter_peak"}),
    "advice that nobody heeds": ({"retry_after": TOGETHER}, {"retry_after_peak", "retry_after_requests"}),
    "advice that leaves the herd together": ({"retry_after": polls(np.full(HERD, 2.0))}, {"retry_after_peak"}),
    "growing waits disperse the herd": ({"exponential": SPREAD}, {"exponential_peak"}),
    "the herd is none": ({"fixed": SPREAD}, {"fixed_peak", "full_jitter_peak", "retry_after_peak"}),
}
