"""Why jobs failed, as a value."""

from dataclasses import asdict, dataclass
from typing import Any

from labserver.diagnosis.fact import Fact, FailedKind
from labserver.diagnosis.sentences import sentence
from labserver.errors import CannotRun
from labserver.load.answer import Answer
from labserver.text import harmless

_HEADER = "Traceback (most recent call last):"
_MOST_LINES, _LINES_WITHOUT_TRACEBACK, _LINES_OF_MESSAGE = 16, 5, 5
_LONGEST_LINE = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """The first job of a phase that failed.

    Attributes:
        why: in a few words, such as `GET /work answered 500`.
        answer: what it was answered last; None where that is not known.
        output: the end of what the application printed meanwhile, of a traceback where there is one; None where its
            output is not this check's to read.
    """

    why: str
    answer: Answer | None = None
    output: tuple[str, ...] | None = None

    def __str__(self) -> str:
        """Give the reason alone."""
        return self.why

    def to_dict(self) -> dict[str, Any]:
        """The failure as JSON."""
        return asdict(self)


class JobsFailed(CannotRun):
    """Jobs failed, and nothing can be judged.

    Args:
        which: of the jobs.
        failure: why the first one did.
    """

    def __init__(self, which: FailedKind, failure: Failure | None) -> None:
        why = Fact(FailedKind.NOTHING_SAYS_WHY) if failure is None else failure.why
        super().__init__(sentence(Fact(which, {"why": why})))
        self.failure = failure


def has_traceback(output: str) -> bool:
    """Whether there is a traceback in what an application printed."""
    return _HEADER in output


def end_of(output: str) -> tuple[str, ...]:
    """The end of the last traceback in what an application printed; of all of it, where there is none."""
    lines = [line.rstrip()[:_LONGEST_LINE] for line in harmless(output).splitlines()]
    begins = [at for at, line in enumerate(lines) if _HEADER in line]
    if not begins:
        return tuple([line for line in lines if line][-_LINES_WITHOUT_TRACEBACK:])
    lines = _traceback(lines[begins[-1] :])
    return tuple(lines if len(lines) <= _MOST_LINES else ["…", *lines[1 - _MOST_LINES :]])


def _traceback(lines: list[str]) -> list[str]:
    """The traceback that the lines begin with, down to the error's message."""
    margin = lines[0].partition(_HEADER)[0]
    if margin.strip("| "):  # words before it, not the frame of an exception group
        margin = ""
    own = [line.removeprefix(margin) for line in lines]
    end = next((at for at in range(1, len(own)) if not own[at].startswith(" ")), len(own))
    last = next((at for at in range(end + 1, len(own)) if not own[at]), len(own))  # a message may have several lines
    shown = own[1 : min(last, end + _LINES_OF_MESSAGE)]
    return [_HEADER, *(line for line in shown if line.strip(" ^~"))]  # marks below the code say little, and take room
