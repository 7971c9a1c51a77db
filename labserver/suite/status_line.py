"""One line that tells what is going on, and a drawing above it: rewritten in place in a notebook, lines elsewhere."""

import os
import sys
from html import escape
from typing import Any


class StatusLine:
    """Says what is being done.

    In a notebook each line replaces the one before, so that the output does not grow; elsewhere lines go to stderr.
    """

    def __init__(self) -> None:
        self._handle: Any = None
        self._text = ""
        self._drawing = ""

    @property
    def is_watched(self) -> bool:
        """Whether somebody can see what is drawn: in a notebook, unless the runner executes it."""
        return "ipykernel" in sys.modules and "LABSERVER_RUN_DIR" not in os.environ

    def say(self, text: str) -> None:
        """Show this line now."""
        self._text = text
        if "ipykernel" in sys.modules:
            self._show()
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is its job

    def draw(self, svg: str) -> None:
        """Show a drawing above the line, in place of the one before; an empty one takes it away."""
        if self.is_watched and svg != self._drawing:
            self._drawing = svg
            self._show()

    def _show(self) -> None:
        from IPython.display import display  # noqa: PLC0415 - only there in a notebook

        shown = {"text/plain": self._text}
        if self._drawing:
            shown["text/html"] = f"<div>{self._drawing}<div>{escape(self._text)}</div></div>"
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)
