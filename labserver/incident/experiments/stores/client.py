"""A client in a process of its own that does what it is told, when it is told: nobody's random moments, no heap shared.

The parent writes one JSON line per batch, `{"url": …, "calls": [[kind, argument], …]}`, and reads one with the answers
in the order of the calls. A call is `["submit", turn]`, `["status", job id]` or `["collect", job id]`, which asks for
the status and then, unless that is refused, for the result. It ends when its standard input does.
"""

import json
import struct
import sys
import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

import requests

from labserver.incident.experiments.measured import Measured
from labserver.load.http import RequestRecord, timed_session
from labserver.load.image_journey import Upload, encode_upload
from labserver.load.photos import Pair, PhotoPool
from labserver.processes.helper import Helper

_ANSWER_WITHIN_S = 60.0
_QUIT_S = 5.0
FAILING_TURN = -1
"""The turn that uploads photographs of which no face can be composed."""

Call = tuple[str, int | str]


@dataclass(frozen=True, slots=True)
class Answer(Measured):
    """What one call met.

    Attributes:
        status: the last HTTP status, 0 where there was none.
        job_id: of a job that was accepted, else empty.
        state: what the job's status said, else empty.
        retry_after_s: what a refusal asked for, else 0.
        seconds: how long each request took.
    """

    status: int
    job_id: str = ""
    state: str = ""
    retry_after_s: float = 0.0
    seconds: list[float] = field(default_factory=list)


class ScriptedClient:
    """The parent's end of the process."""

    def __init__(self, process: Helper) -> None:
        self._process = process

    def ask(self, url: str, calls: Sequence[Call]) -> list[Answer]:
        """Have all calls made, as many at a time as there are users, and return once the last has its answer.

        Raises:
            CannotRun: the process died or fell silent.
        """
        self._process.send({"url": url, "calls": calls})
        return [Answer(**answer) for answer in self._process.receive(_ANSWER_WITHIN_S)]


@contextmanager
def scripted_client(*, seed: int, users: int) -> Iterator[ScriptedClient]:
    """Start the process, and leave nothing of it behind.

    Args:
        seed: of the photographs' variation.
        users: calls of a batch that are made at the same time.
    """
    process = Helper("labserver.incident.experiments.stores.client", str(seed), str(users), what="The scripted client")
    try:
        yield ScriptedClient(process)
    finally:
        process.close(_QUIT_S)


class _User:
    """A session and the calls that are made with it."""

    def __init__(self, url: str, uploads: Sequence[Upload], failing: Upload) -> None:
        self._api = f"{url}/api/images"
        self._uploads = uploads
        self._failing = failing
        self._records: list[RequestRecord] = []
        self.session, _ = timed_session(self._records.append)

    def do(self, kind: str, argument: int | str) -> Answer:
        self._records.clear()
        try:
            answer = self._submit(int(argument)) if kind == "submit" else self._look(kind, str(argument))
        except requests.RequestException:
            answer = Answer(0)
        answer.seconds.extend(record.duration for record in self._records if record.error is None)
        return answer

    def _submit(self, turn: int) -> Answer:
        upload = self._failing if turn == FAILING_TURN else self._uploads[turn % len(self._uploads)]
        response = self.session.post(
            f"{self._api}/analyze", data=upload.body, headers={"Content-Type": upload.content_type}
        )
        if response.status_code != requests.codes.accepted:
            return Answer(response.status_code, retry_after_s=float(response.headers.get("Retry-After", 0)))
        return Answer(response.status_code, job_id=response.json()["jobId"])

    def _look(self, kind: str, job_id: str) -> Answer:
        job = quote(job_id, safe="")
        response = self.session.get(f"{self._api}/status/{job}")
        state = response.json()["status"] if response.ok else ""
        if kind == "collect" and response.ok:
            response = self.session.get(f"{self._api}/result/{job}")
        return Answer(response.status_code, state=state)


def _png_without_pixels() -> bytes:
    """A PNG whose chunks and checksums are right and whose pixels end too early: taken at the door, but no face."""
    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(8))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def main() -> None:
    """Make the calls of one batch after the other, until the input ends."""
    seed, users = (int(argument) for argument in sys.argv[1:])
    uploads = [encode_upload(pair) for pair in PhotoPool(seed).pairs]
    failing = encode_upload(Pair(_png_without_pixels(), _png_without_pixels()))
    for line in sys.stdin:
        batch = json.loads(line)
        sys.stdout.write(json.dumps(_answers(batch, uploads, failing, users)) + "\n")
        sys.stdout.flush()


def _answers(batch: dict[str, Any], uploads: Sequence[Upload], failing: Upload, users: int) -> list[dict[str, Any]]:
    """Make the calls of one batch; afterwards no connection is open."""
    local = threading.local()
    sessions: list[requests.Session] = []

    def begin() -> None:
        local.user = _User(batch["url"], uploads, failing)
        sessions.append(local.user.session)

    with ThreadPoolExecutor(users, initializer=begin) as pool:
        answers = list(pool.map(lambda call: asdict(local.user.do(*call)), batch["calls"]))
    for session in sessions:
        session.close()
    return answers
