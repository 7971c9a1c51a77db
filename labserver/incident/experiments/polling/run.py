"""What polling costs a server: clients that never give up beside clients that do, and a herd that polls by a policy."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from labserver.incident.experiments.figure import BLUE, VERMILLION
from labserver.incident.experiments.polling.measurements import ClientGroup, EndlessPolling, Herd, read_polls
from labserver.incident.experiments.polling.running_load import RunningLoad
from labserver.incident.experiments.polling.server_cost import NEVER_S
from labserver.incident.hosting.embedded import EmbeddedServer, embedded
from labserver.incident.service.jobs import JobState
from labserver.incident.service.settings import Settings
from labserver.load import Summary, VirtualUsers, virtual_users
from labserver.targets.listeners import tcp_connections

NO_CAP = 1_000_000_000
_POLICIES = ("fixed", "exponential", "full-jitter", "retry-after")


def poll_without_end(  # noqa: PLR0913 - all but one by keyword
    folder: Path, *, users: int, poll_interval_s: float, max_polls: int, patience_polls: int, seed: int
) -> EndlessPolling:
    """Let capped and unbounded clients poll at the same time for jobs that never finish, and stop what goes on.

    The experiment ends when the capped clients have given up and the others have polled half as often again since, or
    when its patience is at an end: however fast the machine is, as many polls are sent.

    Args:
        folder: for what the load writes.
        users: in each of the two groups.
        poll_interval_s: between two polls.
        max_polls: after which the capped clients give up.
        patience_polls: of a client that should have given up, after which the experiment stops everything.
        seed: of the photographs.
    """
    settings = Settings(service_time_s=NEVER_S, workers=2 * users, queue_size=2 * users)
    files = (folder / "05_capped.json", folder / "05_unbounded.json")
    with (
        embedded(settings) as server,
        _crowd(server, users, files[0], poll_interval_s=poll_interval_s, max_polls=max_polls, seed=seed) as capped,
        _crowd(server, users, files[1], poll_interval_s=poll_interval_s, max_polls=NO_CAP, seed=seed) as unbounded,
        ThreadPoolExecutor(2) as threads,
    ):
        began = time.time()
        loads = [
            RunningLoad(threads.submit(crowd.run, iterations=users), file)
            for crowd, file in zip((capped, unbounded), files, strict=True)
        ]
        ended_s = loads[0].end_s(began, patience=users * patience_polls)
        if ended_s is not None:
            loads[1].wait_for_polls(began + ended_s, polls=math.ceil(users * max_polls / 2))
        held = server.service.store.counts().get(JobState.RUNNING, 0)
        connections = [_connections(crowd.pid) for crowd in (capped, unbounded)]
        ends = [ended_s, None if loads[1].running else time.time() - began]
        observed_s = time.time() - began
        summaries = [_stopped(crowd, load) for crowd, load in zip((capped, unbounded), loads, strict=True)]
    first, second = (
        ClientGroup(read_polls(file), summary, count, end)
        for file, summary, count, end in zip(files, summaries, connections, ends, strict=True)
    )
    return EndlessPolling(first, second, began, observed_s, held)


def poll_as_a_herd(  # noqa: PLR0913 - the same
    policy: str, folder: Path, *, clients: int, poll_s: float, job_s: float, seed: int
) -> Herd:
    """Let clients that begin at once poll by a policy until their jobs, which all take the same time, are done.

    The server tells with Retry-After how long a job takes, in whole seconds as HTTP has it.

    Args:
        policy: see `labserver.load.polling`.
        folder: for what the load writes.
        clients: each with one job, and all jobs run at the same time.
        poll_s: the policy's interval; waits that grow do so up to four times of it.
        job_s: seconds that a job takes.
        seed: of the waits.
    """
    settings = Settings(
        service_time_s=job_s, retry_after_s=job_s, workers=clients, queue_size=clients, result_px=16, max_pixels=10**6
    )
    out = folder / f"05_herd_{policy}.json"
    with (
        embedded(settings) as server,
        virtual_users(
            server.url,
            clients,
            poll_interval_s=poll_s,
            max_poll_interval_s=4 * poll_s,
            max_polls=NO_CAP,
            poll_policy=policy,
            seed=seed,
            photos=_tiny_photos(folder),
            outputs=[f"json={out}"],
        ) as crowd,
    ):
        began = time.time()
        crowd.run(iterations=clients)
        polls = read_polls(out)
        known = dict(zip(polls.jobs, polls.end_s, strict=True))  # of each job the last poll: the one that said DONE
        results = {job: server.service.store.get(job) for job in known}
        notice = [known[job] - result.created_at for job, result in results.items() if result is not None]
    return Herd(policy, polls, began, np.array(notice))


def herds_by_policy(folder: Path, **herd: Any) -> dict[str, Herd]:
    """`poll_as_a_herd` by each policy in turn, by the policy's name as findings spell it."""
    found = (poll_as_a_herd(policy, folder, **herd) for policy in _POLICIES)
    return {herd.name: herd for herd in found}


def _crowd(server: EmbeddedServer, users: int, out: Path, **polling: Any) -> AbstractContextManager[VirtualUsers]:
    return virtual_users(server.url, users, outputs=[f"json={out}"], **polling)


def _stopped(crowd: VirtualUsers, load: RunningLoad) -> Summary:
    if load.running:
        crowd.stop()
    return load.run.result()


def _connections(pid: int) -> int:
    return sum(item.status == psutil.CONN_ESTABLISHED for item in tcp_connections(psutil.Process(pid)))


def _tiny_photos(folder: Path) -> Path:
    """Two small pictures: a herd's uploads must not take so long that they spread it."""
    photos = folder / "05_photos"
    photos.mkdir(exist_ok=True)
    for number, colour in enumerate((VERMILLION, BLUE)):
        Image.new("RGB", (32, 32), colour).save(photos / f"{number}.png")
    return photos
