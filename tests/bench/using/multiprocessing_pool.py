"""A pool of processes."""

# /// script
# dependencies = []
# [tool.libraries]
# kind = "processes, threads"
# ///

import multiprocessing

from using.pair import pair

pool = multiprocessing.get_context("fork").Pool(2)


def work(_):
    result = pool.apply_async(bytes, [3000])
    result.get()
    return result


leak, clean = pair(work)
