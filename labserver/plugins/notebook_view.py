"""What a check shows in a notebook: a curve while it runs, and in its place the answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import numpy as np
from IPython.display import display

from labserver.diagnosis.measure.options import CheckProgress
from labserver.diagnosis.result import CheckResult
from labserver.plugins.curve import interval_curve
from labserver.report.sketch import Points

_LOOKS = 512


class LiveView:
    """One display that is updated; what it remembers has a fixed size, so that it is no growth.

    Args:
        handle: IPython's handle of a display, or None where nothing can be updated.
        tolerance: bytes per job.
    """

    def __init__(self, handle: Any, tolerance: float) -> None:
        self._handle = handle
        self._tolerance = tolerance
        self._looks = np.zeros((_LOOKS, 4))  # jobs, estimate, low, high
        self._count = 0

    def progress(self, progress: CheckProgress) -> None:
        """Show how far the check is."""
        if self._handle is None:
            return
        interval = progress.interval
        if self._count and progress.jobs < self._looks[self._count - 1, 0]:  # it is measured anew
            self._count = 0
        if interval is not None and self._count < _LOOKS and progress.jobs > self._looks[self._count - 1, 0]:
            self._looks[self._count] = progress.jobs, interval.estimate, interval.low, interval.high
            self._count += 1
        self._handle.update(_Running(progress, self._looks[: self._count], self._tolerance))

    def answer(self, result: CheckResult) -> None:
        """Show the result in place of the progress."""
        if self._handle is None:
            display(result)
        else:
            self._handle.update(result)

    def clear(self) -> None:
        """Leave nothing of a check that has no answer."""
        if self._handle is not None:
            self._handle.update(_Nothing())


@contextmanager
def live_view(shell: Any, *, tolerance: float) -> Iterator[LiveView]:
    """A display for one check; a shell on a terminal cannot update one, and shows the answer only."""
    handle = display(_Nothing(), display_id=True) if hasattr(shell, "kernel") else None
    view = LiveView(handle, tolerance)
    try:
        yield view
    except BaseException:
        view.clear()
        raise


class _Running:
    def __init__(self, progress: CheckProgress, looks: Points, tolerance: float) -> None:
        self._progress = progress
        self._looks = looks
        self._tolerance = tolerance

    def __repr__(self) -> str:
        known = "" if self._progress.interval is None else f": {self._progress.interval}"
        return f"{self._progress.seconds:.0f} s: {self._progress.phase}, {self._progress.jobs} jobs{known}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        html = f"<div>{interval_curve(self._looks, tolerance=self._tolerance)}<div>{escape(repr(self))}</div></div>"
        return {"text/html": html, "text/plain": repr(self)}


class _Nothing:
    def __repr__(self) -> str:
        return ""

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": "", "text/plain": ""}
