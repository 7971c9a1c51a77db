"""What polling costs a server: clients that never give up beside clients that do, and a herd that polls by a policy."""

import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import psutil
from PIL import Image

from labserver.incident.experiments.polling.server_cost import NEVER_S
from labserver.incident.hosting.embedded import EmbeddedServer, embedded
from labserver.incident.service.jobs import JobState
from labserver.incident.service.settings import Settings
from labserver.load import Summary, VirtualUsers, virtual_users
from labserver.stats.interval import Interval, mean_of
from labserver.targets.listeners import tcp_connections

Floats = npt.NDArray[np.float64]

NO_CAP = 1_000_000_000
SHOWN = ("fixed", "exponential", "full-jitter", "retry-after")
_LOOK_S = 0.5  # a load hands its samples to the system as often


@dataclass(frozen=True, slots=True)
class Polls:
    """The polls of one group of clients.

    Attributes:
        start_s: when each was sent, Unix time, in rising order.
        end_s: when each was answered, in the same order.
        jobs: the id of the job each was about, in the same order.
    """

    start_s: Floats
    end_s: Floats
    jobs: tuple[str, ...]

    def __len__(self) -> int:
        """How many there were."""
        return len(self.start_s)

    def until(self, at_s: float) -> int:
        """How many had been sent by then."""
        return int(np.searchsorted(self.start_s, at_s, side="right"))

    def peak(self, window_s: float) -> int:
        """The most that were sent within any window of that length."""
        if not len(self):
            return 0
        ahead = np.searchsorted(self.start_s, self.start_s + window_s, side="left")
        return int((ahead - np.arange(len(self))).max())


@dataclass(frozen=True, slots=True)
class Client:
    """One group of clients that polled for jobs that never finish.

    Attributes:
        polls: what they sent.
        summary: of their load.
        connections_end: which they held when the experiment was stopped.
        ended_s: when the last of them had ended by itself, seconds after the start; None where one was stopped.
    """

    polls: Polls
    summary: Summary
    connections_end: int
    ended_s: float | None

    @property
    def told(self) -> str:
        """What they were told at the end."""
        return self.summary.first_failure or "nothing: it was stopped by the experiment"


@dataclass(frozen=True, slots=True)
class Endless:
    """Both groups against one service.

    Attributes:
        began_s: Unix time of their start.
        observed_s: seconds from then to the stop.
        workers_held: jobs that were running at the stop.
    """

    capped: Client
    unbounded: Client
    began_s: float
    observed_s: float
    workers_held: int

    def after_the_cap(self, client: Client) -> int:
        """How many polls a group sent when the capped clients had given up; none if they never did."""
        ended = self.observed_s if self.capped.ended_s is None else self.capped.ended_s
        return len(client.polls) - client.polls.until(self.began_s + ended)


@dataclass(frozen=True, slots=True)
class Herd:
    """Clients that began at once and polled by one policy until they knew."""

    policy: str
    polls: Polls
    began_s: float
    notice_s: Floats

    @property
    def name(self) -> str:
        """The policy's, as the findings spell it."""
        return self.policy.replace("-", "_")

    @property
    def mean_notice(self) -> Interval:
        """Seconds from a job's end to its client's knowing it: the mean, with a 99 % interval."""
        return mean_of(self.notice_s)


def poll_without_end(  # noqa: PLR0913 - all but one by keyword
    folder: Path, *, users: int, poll_interval_s: float, max_polls: int, patience_polls: int, seed: int
) -> Endless:
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
        runs = [threads.submit(crowd.run, iterations=users) for crowd in (capped, unbounded)]
        ended_s = _end_of(runs[0], files[0], began, patience=users * patience_polls)
        if ended_s is not None:
            _wait_for_polls(runs[1], files[1], began + ended_s, polls=math.ceil(users * max_polls / 2))
        held = server.service.store.counts().get(JobState.RUNNING, 0)
        connections = [_connections(crowd.pid) for crowd in (capped, unbounded)]
        ends = [ended_s, None if not runs[1].done() else time.time() - began]
        observed_s = time.time() - began
        summaries = [_stopped(crowd, run) for crowd, run in zip((capped, unbounded), runs, strict=True)]
    first, second = (
        Client(read_polls(file), summary, count, end)
        for file, summary, count, end in zip(files, summaries, connections, ends, strict=True)
    )
    return Endless(first, second, began, observed_s, held)


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


def herds(folder: Path, **herd: Any) -> dict[str, Herd]:
    """`poll_as_a_herd` by each policy in turn, by the policy's name as findings spell it."""
    found = (poll_as_a_herd(policy, folder, **herd) for policy in SHOWN)
    return {herd.name: herd for herd in found}


def read_polls(path: Path) -> Polls:
    """The polls in a load's JSON lines, by when they were sent."""
    rows = sorted(_answered_polls(path))
    start, end, jobs = zip(*rows, strict=True) if rows else ((), (), ())
    return Polls(np.array(start), np.array(end), tuple(jobs))


def _answered_polls(path: Path) -> Iterator[tuple[float, float, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.endswith("\n"):  # the load is still writing it
                return
            point = json.loads(line)
            tags = point["data"].get("tags", {})
            if point["metric"] == "http_req_duration" and tags.get("name") == "status":
                end = datetime.fromisoformat(point["data"]["time"]).timestamp()
                yield end - point["data"]["value"] / 1e3, end, unquote(tags["url"].rpartition("/")[2])


def _crowd(server: EmbeddedServer, users: int, out: Path, **polling: Any) -> AbstractContextManager[VirtualUsers]:
    return virtual_users(server.url, users, outputs=[f"json={out}"], **polling)


def _end_of(run: "Future[Summary]", file: Path, began: float, *, patience: int) -> float | None:
    """Seconds after which a run has ended by itself; None where it has sent as many polls as there is patience for."""
    while not run.done():
        if len(read_polls(file)) >= patience:
            return None
        wait([run], timeout=_LOOK_S)
    return time.time() - began


def _wait_for_polls(run: "Future[Summary]", file: Path, since_s: float, *, polls: int) -> None:
    """Return when a run has sent so many polls since an instant, or has ended by itself."""
    while not run.done():
        sent = read_polls(file)
        if len(sent) - sent.until(since_s) >= polls:
            return
        wait([run], timeout=_LOOK_S)


def _stopped(crowd: VirtualUsers, run: "Future[Summary]") -> Summary:
    if not run.done():
        crowd.stop()
    return run.result()


def _connections(pid: int) -> int:
    return sum(item.status == psutil.CONN_ESTABLISHED for item in tcp_connections(psutil.Process(pid)))


def _tiny_photos(folder: Path) -> Path:
    """Two small pictures: a herd's uploads must not take so long that they spread it."""
    photos = folder / "05_photos"
    photos.mkdir(exist_ok=True)
    for number, colour in enumerate(("#D55E00", "#0072B2")):
        Image.new("RGB", (32, 32), colour).save(photos / f"{number}.png")
    return photos
