"""One line that tells what is going on: rewritten in place in a notebook, plain lines elsewhere."""

import sys
from typing import Any


class StatusLine:
    """Says what is being done.

    In a notebook each line replaces the one before, so that the output does not grow; elsewhere lines go to stderr.
    """

    def __init__(self) -> None:
        self._handle: Any = None

    def say(self, text: str) -> None:
        """Show this line now."""
        if "ipykernel" not in sys.modules:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is its job
            return
        from IPython.display import Pretty, display  # noqa: PLC0415 - only there in a notebook

        if self._handle is None:
            self._handle = display(Pretty(text), display_id=True)
        else:
            self._handle.update(Pretty(text))
