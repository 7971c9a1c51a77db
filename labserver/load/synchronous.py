"""One iteration of a user of the synchronous service: hand two photographs in and wait for the face."""

import itertools
import threading
from collections.abc import Sequence

import requests

from labserver.load.http import error_kind
from labserver.load.image_journey import Upload, is_png
from labserver.load.journey import FAILURE_PAUSE_S, CutShortError, Outcome
from labserver.load.samples import Samples


class ComposeJourney:
    """One request, whose answer is the face.

    A user whose request times out sends it again at once, as people do; after other failures there is a rest.

    Args:
        uploads: the bodies to send, in turn.
        samples: where checks and picture sizes are counted.
        cut: set when the run is stopped at once.
    """

    def __init__(self, uploads: Sequence[Upload], samples: Samples, cut: threading.Event) -> None:
        self._uploads = uploads
        self._turn = itertools.count()
        self._samples = samples
        self._cut = cut

    @staticmethod
    def name_request(_method: str, _path: str) -> str:
        """`compose`."""
        return "compose"

    def __call__(self, session: requests.Session, base_url: str) -> Outcome:
        """Run one iteration.

        Raises:
            CutShortError: the run was stopped meanwhile.
        """
        upload = self._uploads[next(self._turn) % len(self._uploads)]
        headers = {"Content-Type": upload.content_type}
        pause_s, why = FAILURE_PAUSE_S, "the answer is not a PNG picture"
        ok = False
        try:
            answer = session.post(f"{base_url}/api/images/compose", data=upload.body, headers=headers)
        except requests.RequestException as error:
            why, pause_s = f"no answer ({error_kind(error)})", 0.0 if isinstance(error, requests.Timeout) else pause_s
        else:
            ok = answer.ok and is_png(answer.content)
            why = why if answer.ok else f"the server answered {answer.status_code}"
            if ok:
                self._samples.png(len(answer.content))
        if self._cut.is_set() and not ok:
            raise CutShortError
        self._samples.check("face composed", ok, why)
        return Outcome(ok=ok, pause_s=0.0 if ok else pause_s)
