"""Whether anything can happen in this process while the thread that asks does nothing."""

import signal
import sys
import time
import types

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_SOON_S = 20.0  # nobody waits for longer; a test runner's watchdog, which fires in minutes, is no activity


def acts_by_itself() -> bool:
    """Whether another thread, a timer or an event loop may change the memory while this thread rests.

    Where `time.sleep` has been replaced, others may run meanwhile, as gevent's greenlets do.
    """
    if len(sys._current_frames()) > 1 or type(time.sleep) is not types.BuiltinFunctionType:  # noqa: SLF001 - its only name
        return True
    return _timer_is_due() or _loop_runs()


def _timer_is_due() -> bool:
    timers = map(signal.getitimer, _TIMERS)
    return any(0 < left_s <= _SOON_S or interval_s > 0 for left_s, interval_s in timers)


def _loop_runs() -> bool:
    """Whether an event loop runs in this thread; asyncio is asked only where it is loaded."""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None  # noqa: SLF001 - the other one raises
