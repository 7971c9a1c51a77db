"""A job of the image service: hand two photographs in, poll, fetch the picture."""

import itertools
import random
import struct
import threading
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import NamedTuple
from urllib.parse import quote

import requests
from PIL import Image
from urllib3 import encode_multipart_formdata

from labserver.load.http import error_kind
from labserver.load.journey import FAILURE_PAUSE_S, CutShortError, Outcome
from labserver.load.photos import Pair
from labserver.load.polling import Polling, retry_after_s
from labserver.load.samples import Samples

MAX_PAUSE_S = 5.0


class Upload(NamedTuple):
    """A pair of photographs as the body of a request, encoded before the load starts."""

    body: bytes
    content_type: str


def encode_upload(pair: Pair) -> Upload:
    """The multipart form that the front end would send for the pair."""
    fields = {
        "parentA": ("parentA.jpg", pair.parent_a, "image/jpeg"),
        "parentB": ("parentB.jpg", pair.parent_b, "image/jpeg"),
    }
    return Upload(*encode_multipart_formdata(fields))


class ImageJourney:
    """Submit, poll, fetch; stops at its first failed check, so that each failed iteration counts one failed check.

    It polls as the service's front end does: rest first, then ask, and give up after `max_polls`.

    Args:
        uploads: the bodies to send, in turn.
        samples: where checks and picture sizes are counted.
        cut: set when the run is stopped at once; ends every wait.
        polling: how it spaces its polls, and after how many it gives the job up.
        seed: what the waits are drawn from, where they are random.
    """

    def __init__(
        self,
        uploads: Sequence[Upload],
        samples: Samples,
        cut: threading.Event,
        *,
        polling: Polling,
        seed: int = 0,
    ) -> None:
        self._uploads = uploads
        self._turn = itertools.count()
        self._samples = samples
        self._cut = cut
        self._polling = polling
        self._rng = random.Random(seed)  # noqa: S311 - no secret

    @staticmethod
    def name_request(_method: str, path: str) -> str:
        """`submit`, `status` or `result`."""
        if "/images/status/" in path:
            return "status"
        return "result" if "/images/result/" in path else "submit"

    def __call__(self, session: requests.Session, base_url: str) -> Outcome:
        """Run one iteration.

        Raises:
            CutShortError: the run was stopped meanwhile.
        """
        api = f"{base_url}/api/images"
        answer, why = self._submit(session, api)
        accepted = answer is not None and answer.status_code == requests.codes.accepted
        if not self._samples.check("job accepted", accepted, why) or answer is None:
            return Outcome(ok=False, pause_s=self._pause_after(answer))
        job_id = _text(answer, "jobId")
        if not self._samples.check("jobId returned", bool(job_id), "the answer has no jobId"):
            return Outcome(ok=False, pause_s=FAILURE_PAUSE_S)
        job = quote(job_id, safe="")
        unfinished = self._poll(session, f"{api}/status/{job}", retry_after_s(answer.headers))
        if not self._samples.check("job done", unfinished is None, unfinished or ""):
            return Outcome(ok=False, pause_s=FAILURE_PAUSE_S)
        ok = self._fetch(session, f"{api}/result/{job}")
        return Outcome(ok=ok, pause_s=0.0 if ok else FAILURE_PAUSE_S)

    def _submit(self, session: requests.Session, api: str) -> tuple[requests.Response | None, str]:
        upload = self._uploads[next(self._turn) % len(self._uploads)]
        headers = {"Content-Type": upload.content_type}
        return self._ask(lambda: session.post(f"{api}/analyze", data=upload.body, headers=headers))

    def _poll(self, session: requests.Session, url: str, advice_s: float | None) -> str | None:
        """Wait for the job; None when it is done, otherwise why it is not."""
        pace = self._polling.pace(self._rng)
        for _ in range(self._polling.max_polls):
            if self._cut.wait(pace.wait_s(advice_s)):
                raise CutShortError
            answer, why = self._ask(lambda: session.get(url))
            if answer is None or not answer.ok:
                return why
            status = _text(answer, "status")
            if status == "DONE":
                return None
            if status not in ("PENDING", "RUNNING"):
                return f"its status is {status or 'missing'}"
            advice_s = retry_after_s(answer.headers)
        return f"not done after {self._polling.max_polls} polls"

    def _fetch(self, session: requests.Session, url: str) -> bool:
        answer, why = self._ask(lambda: session.get(url))
        if answer is not None and answer.ok:
            why = "the answer is not a PNG picture"
        ok = answer is not None and answer.ok and is_png(answer.content)
        if ok and answer is not None:
            self._samples.png(len(answer.content))
        return self._samples.check("PNG decodes", ok, why)

    def _ask(self, request: Callable[[], requests.Response]) -> tuple[requests.Response | None, str]:
        """The answer, if there is one, and what to say of it should it be the wrong one."""
        if self._cut.is_set():
            raise CutShortError
        try:
            answer = request()
        except requests.RequestException as error:
            if self._cut.is_set():
                raise CutShortError from error
            return None, f"no answer ({error_kind(error)})"
        return answer, f"the server answered {answer.status_code}"

    def _pause_after(self, answer: requests.Response | None) -> float:
        if answer is None or answer.status_code != requests.codes.unavailable:
            return FAILURE_PAUSE_S
        wanted = retry_after_s(answer.headers)
        pause = self._polling.interval_s if wanted is None else wanted
        return min(max(pause, FAILURE_PAUSE_S), MAX_PAUSE_S)


def is_png(body: bytes) -> bool:
    """Whether the bytes are a whole PNG picture: its structure and checksums, without the cost of its pixels."""
    try:
        with Image.open(BytesIO(body), formats=["PNG"]) as picture:
            picture.verify()
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        return False
    return True


def _text(answer: requests.Response, key: str) -> str:
    """The string under a key of a JSON answer, empty when there is none."""
    try:
        value = answer.json()[key]
    except (ValueError, KeyError, TypeError):
        return ""
    return value if isinstance(value, str) else ""
