"""Lists in another process, behind proxies."""

# /// script
# dependencies = []
# [tool.libraries]
# kind = "processes, proxies"
# ///

import multiprocessing

from using.pair import pair

manager = multiprocessing.get_context("spawn").Manager()
shared = manager.list([0] * 100)


def work(number):
    shared[number % 100] = number
    return list(shared), [f"{number} {place}" for place in range(50)]


leak, clean = pair(work)
