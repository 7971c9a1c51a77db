"""Ctrl-C and SIGTERM as a request instead of an exception at a random line.

A kernel runs in a session of its own, so a terminal's Ctrl-C reaches the runner alone. The first request interrupts
the running cell, whose ``finally`` blocks then tidy up; the kernel is killed when that takes too long or at a second
request.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from labserver.suite.kernel import Kernel

GRACE_S = 3.0
"""How long an interrupted cell may take to end, in seconds."""


class Stop:
    """While this context is open SIGINT and SIGTERM are remembered in ``signal`` (such as ``SIGINT``)."""

    def __init__(self) -> None:
        self.signal = ""
        self._kernel: Kernel | None = None
        self._previous: dict[int, Any] = {}
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread only; a runner in another thread leaves them to its host.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self.watch(None)

    def watch(self, kernel: Kernel | None) -> None:
        """From now on a request goes to this kernel."""
        self._kernel = kernel
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        repeated = bool(self.signal)
        self.signal = self.signal or signal.Signals(number).name
        if self._kernel is None:
            return
        if repeated:
            self._kernel.kill()
            return
        self._kernel.interrupt()
        self._timer = threading.Timer(GRACE_S, self._kernel.kill)
        self._timer.daemon = True
        self._timer.start()
