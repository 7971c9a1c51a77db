"""A pool of spawned processes and its futures."""

# /// script
# dependencies = []
# [tool.libraries]
# kind = "processes, threads"
# ///

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from using.pair import pair

pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def work(_):
    future = pool.submit(bytes, 3000)
    future.result()
    return future


leak, clean = pair(work)
