"""What a check shows in a notebook: a curve while it runs, and in its place the answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import numpy as np
from IPython.display import display

from labserver.diagnosis.measure.options import CheckProgress
from labserver.diagnosis.result import CheckResult, NamedHolder
from labserver.plugins.curve import Points, interval_curve
from labserver.report.contents import table_of
from labserver.report.curve import curve_of
from labserver.report.holder_chain import holder_name
from labserver.report.html import html_of
from labserver.report.terminal import render

_LOOKS = 512
_FRAME_STYLE = "width: 100%; height: 40em; border: 0"


class Diagnosis:
    """A check's result as IPython displays it.

    Attributes:
        result: the result itself.
    """

    def __init__(self, result: CheckResult) -> None:
        self.result = result

    def __repr__(self) -> str:
        return render(self.result).rstrip("\n")

    def _repr_html_(self) -> str:
        text = escape(repr(self))
        # In a frame of its own, the page's style sheet and the notebook's leave each other alone.
        page = escape(html_of(self.result, interactive=False))  # no script runs there
        frame = f'<iframe srcdoc="{page}" sandbox="" style="{_FRAME_STYLE}"></iframe>'
        whole = f"<details><summary>The whole page</summary>{frame}</details>"
        by_type = "".join(map(_by_type, self.result.holders))
        return f'<div class="labserver-check">{curve_of(self.result)}<pre>{text}</pre>{by_type}{whole}</div>'

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}


def _by_type(holder: NamedHolder) -> str:
    table = table_of(holder)
    title = f"What came to <code>{escape(holder_name(holder))}</code>, by type"
    return f"<details><summary>{title}</summary>{table}</details>" if table else ""


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
        shown = Diagnosis(result)
        if self._handle is None:
            display(shown)
        else:
            self._handle.update(shown)

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
