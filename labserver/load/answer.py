"""An answer that failed a job: as much of it as says why."""

import codecs
from dataclasses import dataclass

import requests

from labserver.text import harmless

MOST_CHARACTERS = 300
_BYTES_A_CHARACTER = 4


@dataclass(frozen=True)
class Answer:
    """The status line of an answer, and how its body begins; none of its headers, which may hold secrets.

    Attributes:
        status: the HTTP status.
        reason: its words, as the server gave them.
        bytes: of the body.
        body: its first characters; None where it is no text.
    """

    status: int
    reason: str
    bytes: int
    body: str | None

    @classmethod
    def of(cls, response: requests.Response) -> "Answer":
        """What is to be kept of an answer that was read to its end."""
        content, reason = response.content, harmless(response.reason or "")
        return cls(response.status_code, reason, len(content), _beginning(content, response.encoding))


def _beginning(content: bytes, declared: str | None) -> str | None:
    head = content[: _BYTES_A_CHARACTER * MOST_CHARACTERS]
    if b"\0" in head:
        return None
    for encoding in ("utf-8", declared or "utf-8"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)  # the last character may be cut
        except (LookupError, ValueError):
            continue
        return harmless(text)[:MOST_CHARACTERS]
    return None
