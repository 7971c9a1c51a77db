"""An answer that failed a job: as much of it as says why."""

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labserver.text import harmless

if TYPE_CHECKING:  # a check of a callable needs no HTTP client, and would walk all its objects at each look
    import requests

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


def answer_of(response: "requests.Response") -> Answer:
    """What is to be kept of an answer that was read to its end."""
    return answer_from(response.status_code, response.reason or "", response.content, response.encoding)


def answer_from(status: int, reason: str, content: bytes, encoding: str | None = None) -> Answer:
    """The same of an answer in parts.

    Args:
        status: the HTTP status.
        reason: its words.
        content: the whole body.
        encoding: what the answer declares; without a declaration only UTF-8 is text.
    """
    return Answer(status, harmless(reason), len(content), _beginning(content, encoding))


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
