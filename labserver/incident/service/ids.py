"""Job ids that say who issued them and when, so that a forgotten job needs no tombstone."""

import hmac
import secrets
import uuid

from itsdangerous import BadSignature, TimestampSigner

from labserver.incident.service.clock import Clock


class UnknownJob(Exception):  # noqa: N818 - reads as the answer the client gets
    """The id was never issued by this process."""


class _ClockSigner(TimestampSigner):
    """A signer whose stamps come from the service's clock instead of the system's."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        super().__init__(secret)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock())


class JobIds:
    """Issues and verifies job ids; the secret lives and dies with the process, like the jobs."""

    def __init__(self, clock: Clock) -> None:
        self._signer = _ClockSigner(secrets.token_bytes(32), clock)

    def issue(self) -> str:
        """Return a new id that is safe in a URL."""
        return self._signer.sign(uuid.uuid4().hex).decode("ascii")

    def verify(self, job_id: str) -> float:
        """Return the Unix time in seconds, rounded down, at which `job_id` was issued.

        Raises:
            UnknownJob: The id is not one that `issue` returned, character by character.
        """
        if not job_id.isascii():
            raise UnknownJob(job_id)
        body, _, signature = job_id.rpartition(".")
        # The decoding behind `unsign` ignores stray characters and the last one's spare bits,
        # so several spellings of one signature would pass; only the issued one may.
        if not hmac.compare_digest(signature.encode(), self._signer.get_signature(body)):
            raise UnknownJob(job_id)
        try:
            _, issued_at = self._signer.unsign(job_id, return_timestamp=True)
        except BadSignature as error:
            raise UnknownJob(job_id) from error
        return issued_at.timestamp()
