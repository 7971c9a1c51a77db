"""Each in a process of its own: a test session has threads and timers of its own."""

import subprocess
import sys

import pytest

ASK = """
import asyncio, _thread, signal, threading, time
from labserver.heap.activity import acts_by_itself
signal.signal(signal.SIGALRM, lambda *_: None)
begun, stay = threading.Event(), threading.Event()
{first}
print(acts_by_itself())
stay.set()
"""


def asked(first):
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(first=first)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "first",
    [
        "thread = threading.Thread(target=stay.wait)\nthread.start()",
        "_thread.start_new_thread(lambda: (begun.set(), stay.wait()), ())\nbegun.wait()",
        "timer = threading.Timer(60, print)\ntimer.daemon = True\ntimer.start()",
        "signal.setitimer(signal.ITIMER_REAL, 100, 0.5)",
        "signal.alarm(5)",
        "plain = time.sleep\ntime.sleep = lambda seconds: plain(seconds)",
        "async def ask():\n    print(acts_by_itself())\n    raise SystemExit\nasyncio.run(ask())",
    ],
    ids=["a thread", "a thread without a name", "a timer", "an interval", "an alarm", "greenlets", "an event loop"],
)
def test_what_may_change_the_memory_meanwhile_is_seen(first):
    assert asked(first) == "True"


@pytest.mark.parametrize(
    "first",
    [
        "",
        "thread = threading.Thread(target=print, args=('', ), kwargs={'end': ''})\nthread.start()\nthread.join()",
        "signal.setitimer(signal.ITIMER_REAL, 300)",
        "asyncio.run(asyncio.sleep(0))",
    ],
    ids=["nothing", "a thread that has ended", "the watchdog of a test runner", "a loop that has ended"],
)
def test_what_is_over_or_far_away_is_none(first):
    assert asked(first) == "False"
