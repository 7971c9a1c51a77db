"""A pool of greenlets in every thread, with nothing patched."""

# /// script
# dependencies = ["eventlet"]
# [tool.libraries]
# kind = "greenlets"
# ///

from eventlet import GreenPool
from using.pair import pair


def work(_):
    pool = GreenPool(4)
    threads = [pool.spawn(bytes, 1000) for _ in range(4)]
    return [thread.wait() for thread in threads]


leak, clean = pair(work)
