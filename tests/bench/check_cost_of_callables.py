"""How long the check of a callable that takes no time lasts, in looks at the same heap; run in a process of its own.

Prints as JSON the seconds of one look, and of the check of a callable that keeps nothing, of one that leaks, and of one
that leaks into a store that something might clear, which is tried and waited for.
"""

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable

from labserver.diagnosis import leak_check
from labserver.diagnosis.instruments import Instruments

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """The median of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def leak() -> None:
    """Check a callable that keeps what it makes, for ever."""
    kept: list[bytes] = []
    leak_check(lambda: kept.append(bytes(3000)))


def may_expire() -> None:
    """Check one whose store some line clears, while a thread is there, which does nothing."""
    kept: list[bytes] = []
    stay, closing = threading.Event(), threading.Event()

    def job() -> None:
        kept.append(bytes(3000))
        if closing.is_set():
            kept.clear()

    thread = threading.Thread(target=stay.wait)
    thread.start()
    try:
        leak_check(job)
    finally:
        stay.set()
        thread.join()


def main() -> None:
    """Measure, and print."""
    found = {
        "look": seconds(Instruments().baseline),
        "clean": seconds(lambda: leak_check(lambda: None)),
        "leaky": seconds(leak),
        "leaky, where something may expire": seconds(may_expire),
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
