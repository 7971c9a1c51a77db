"""A loop in a thread, and what it gives to other threads."""

# /// script
# dependencies = ["uvloop"]
# [tool.libraries]
# kind = "C event loop, at-fork hook"
# ///

import asyncio
import threading

import uvloop
from using.pair import pair

loop = uvloop.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


async def answer():
    await asyncio.sleep(0)
    return bytes(3000)


def work(_):
    future = asyncio.run_coroutine_threadsafe(answer(), loop)
    future.result()
    return future


leak, clean = pair(work)
