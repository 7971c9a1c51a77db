"""The memory in use while a mode's jobs run, without a server; `python floors.py KEY JOBS` prints it as JSON."""

import json
import os
import sys

from mode import mode_of
from serve import callable_of

from labserver.heap.meters import take_floor

WARM_UP, READINGS = 500, 9


def floors(job, jobs):
    """Bytes in use by the allocators and bytes that are mapped beside them, by readings spread over the jobs."""
    for number in range(WARM_UP):
        job(number)
    found, done = [], WARM_UP
    for _ in range(READINGS):
        reading = take_floor()
        found.append((reading.used_bytes, reading.mapped_bytes or 0))
        for _ in range(jobs // (READINGS - 1)):
            job(done)
            done += 1
    return found


if __name__ == "__main__":
    key, jobs = sys.argv[1:]
    print(json.dumps(floors(callable_of(mode_of(key).make()), int(jobs))), flush=True)
    os._exit(0)  # what never ends has no need to end well
