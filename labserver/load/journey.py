"""What a virtual user does once per job, and how that ends."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from labserver.load.answer import answer_of
from labserver.load.samples import Samples

Journey = Callable[[requests.Session, str], object]
"""What a user does once per job: `journey(session, base_url)`. It may return an `Outcome`; exceptions are failures."""

FAILURE_PAUSE_S = 0.5  # a user whose server refuses at once must not turn into a busy loop


class CutShortError(Exception):
    """The run was stopped while the iteration was under way."""


@dataclass(frozen=True)
class Outcome:
    """How an iteration ended.

    Attributes:
        ok: it finished its job.
        pause_s: seconds the user rests before its next iteration.
    """

    ok: bool
    pause_s: float = 0.0


class PlainJourney:
    """Somebody else's `callable(session, base_url)` as a journey with one check, `journey completed`."""

    def __init__(self, call: Journey, samples: Samples, cut: threading.Event) -> None:
        self._call = call
        self._samples = samples
        self._cut = cut

    def __call__(self, session: requests.Session, base_url: str) -> Outcome:
        """Run one iteration; any exception of the callable fails it.

        Raises:
            CutShortError: the run was stopped meanwhile.
        """
        try:
            self._call(session, base_url)
        except BaseException as error:  # foreign code may fail in any way, `sys.exit` included, and that is a result
            if self._cut.is_set():
                raise CutShortError from error
            response = getattr(error, "response", None)
            answer = answer_of(response) if isinstance(response, requests.Response) else None
            self._samples.check("journey completed", ok=False, why=_words(error), answer=answer)
            return Outcome(ok=False, pause_s=FAILURE_PAUSE_S)
        self._samples.check("journey completed", ok=True, why="")
        return Outcome(ok=True)


def _words(error: BaseException) -> str:
    """What a foreign error says; where it failed, if it says nothing, as a bare `assert` does."""
    if str(error):
        return f"{type(error).__name__}: {error}"
    line = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} ({Path(line.filename).name}:{line.lineno})"
