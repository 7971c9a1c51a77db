"""A job that runs longer than its time to live: what becomes of its result, by the instant its age counts from."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import requests

from labserver.errors import CannotRun
from labserver.incident.experiments.measured import Measured
from labserver.incident.hosting.embedded import EmbeddedServer, embedded
from labserver.incident.service.jobs import JobResult
from labserver.incident.service.settings import Settings
from labserver.incident.service.stores import TtlJobStore
from labserver.load.photos import Pair

_POLL_S = 0.02
_GIVE_UP_S = 60.0


class AgeFromSubmissionStore(TtlJobStore):
    """The store with a time to live, but for one line: a result's age counts from its job's submission.

    For comparison only, and in no registry: nobody should choose it.
    """

    def put(self, job_id: str, result: JobResult) -> None:
        """Keep a job's newest state with the instant of its first."""
        before = self.get(job_id)
        super().put(job_id, result if before is None else replace(result, created_at=before.created_at))


@dataclass(slots=True)
class SlowJob(Measured):
    """What a client met who asked for one slow job's result again and again.

    Attributes:
        age_from: `completion` or `submission`.
        done_s: seconds from the submission until the job had finished.
        answers: seconds from the submission, and the HTTP status, of each answer.
    """

    age_from: str
    done_s: float = 0.0
    answers: list[tuple[float, int]] = field(default_factory=list)

    @property
    def gone_s(self) -> float:
        """Seconds from the submission to the first answer that the job is gone; the last answer where none said so."""
        return next((at for at, status in self.answers if status == requests.codes.gone), self.answers[-1][0])

    @property
    def kept_s(self) -> float:
        """For how many seconds after its completion the result could be had."""
        return max(0.0, self.gone_s - self.done_s)

    def answer_after(self, seconds: float) -> int:
        """The status of the first answer that came so long after the completion."""
        return next((status for at, status in self.answers if at >= self.done_s + seconds), self.answers[-1][1])


def slow_jobs(settings: Settings, photos: Pair) -> list[SlowJob]:
    """Send one slow job to two real servers, which differ in what its age counts from, and ask until both let it go.

    Args:
        settings: with a service time longer than the time to live.
        photos: the upload.

    Returns:
        The job whose age counts from its completion, as in the service, and the one where it is the submission.
    """
    with ExitStack() as stack:
        servers = [stack.enter_context(embedded(settings)) for _ in range(2)]
        # The store is empty and its policy is all in its class.
        servers[1].service.store.__class__ = AgeFromSubmissionStore
        clients = [stack.enter_context(_client()) for _ in servers]
        urls = [_submit(server, client, photos) for server, client in zip(servers, clients, strict=True)]
        found = [SlowJob("completion"), SlowJob("submission")]
        _ask(servers, clients, urls, found, settings)
    return found


def _ask(
    servers: list[EmbeddedServer],
    clients: list[requests.Session],
    urls: list[str],
    found: list[SlowJob],
    settings: Settings,
) -> None:
    begin = time.monotonic()
    longest = settings.service_time_s + settings.ttl_s + 2 * settings.sweep_s + 1
    while any(not job.answers or job.answers[-1][1] != requests.codes.gone for job in found):
        for server, client, url, job in zip(servers, clients, urls, found, strict=True):
            if not job.done_s and server.service.finished_jobs():
                job.done_s = time.monotonic() - begin
            status = client.get(url, timeout=_GIVE_UP_S).status_code
            job.answers.append((time.monotonic() - begin, status))
        if time.monotonic() - begin > longest:
            return
        time.sleep(_POLL_S)


def _client() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy between this process and itself
    return session


def _submit(server: EmbeddedServer, client: requests.Session, photos: Pair) -> str:
    files = {"parentA": ("a.jpg", photos.parent_a, "image/jpeg"), "parentB": ("b.jpg", photos.parent_b, "image/jpeg")}
    answer = client.post(f"{server.url}/api/images/analyze", files=files, timeout=_GIVE_UP_S)
    if answer.status_code != requests.codes.accepted:
        raise CannotRun(f"the server took no job: it answered {answer.status_code}")
    return f"{server.url}/api/images/result/{answer.json()['jobId']}"
