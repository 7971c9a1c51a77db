"""The words for a failed job that every report of a check shares."""

import textwrap
from dataclasses import dataclass

from labserver.diagnosis.failure import Failure, JobsFailed
from labserver.errors import LabserverError
from labserver.load.answer import Answer

_SERVER_ERROR = 500
_INDENT, _WIDTH = 4, 100


@dataclass(frozen=True, slots=True)
class Detail:
    """What is known of a failed job beside its reason: a heading, and the lines that stand below it."""

    heading: str
    lines: tuple[str, ...] = ()


def details_of(failure: Failure | None) -> list[Detail]:
    """The answer, and what the application printed; nothing where neither is known."""
    if failure is None:
        return []
    details = [] if failure.answer is None else [_of_the_answer(failure.answer)]
    if failure.output:
        details.append(Detail("What the application printed meanwhile ends:", failure.output))
    elif failure.output is not None and failure.answer is not None and failure.answer.status >= _SERVER_ERROR:
        details.append(Detail("The application printed nothing meanwhile: have it log errors to its standard error."))
    return details


def explained(error: LabserverError) -> str:
    """An error's sentence, and the details below it where there are any."""
    lines = [str(error)]
    for detail in details_of(error.failure if isinstance(error, JobsFailed) else None):
        lines += [detail.heading, *(" " * _INDENT + line for line in detail.lines)]
    return "\n".join(lines)


def _of_the_answer(answer: Answer) -> Detail:
    line = f"The first failed job was answered {answer.status} {answer.reason}".rstrip()
    if not answer.bytes:
        return Detail(f"{line} without a body.")
    if answer.body is None:
        return Detail(f"{line} and {answer.bytes:,} bytes that are no text.")
    lines = textwrap.wrap(answer.body, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return Detail(f"{line} and {answer.bytes:,} bytes, which begin:", tuple(lines))
