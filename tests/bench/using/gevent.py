"""A pool of greenlets in every thread, with nothing patched."""

# /// script
# dependencies = ["gevent"]
# [tool.libraries]
# kind = "greenlets"
# ///

from gevent.pool import Pool
from using.pair import pair


def work(_):
    pool = Pool(4)
    greenlets = [pool.spawn(bytes, 1000) for _ in range(4)]
    pool.join()
    return greenlets


leak, clean = pair(work)
