"""A loop in a thread, and what it answers to other threads."""

# /// script
# dependencies = ["trio"]
# [tool.libraries]
# kind = "event loop, context variables"
# ///

import threading

import trio
import trio.lowlevel
from using.pair import pair

ready, tokens = threading.Event(), []


async def main():
    tokens.append(trio.lowlevel.current_trio_token())
    ready.set()
    await trio.sleep_forever()


async def answer(number):
    with trio.CancelScope() as scope:
        await trio.lowlevel.checkpoint()
    return scope, [f"{number} {place}" for place in range(50)]


threading.Thread(target=trio.run, args=(main,), daemon=True).start()
ready.wait(10)
leak, clean = pair(lambda number: trio.from_thread.run(answer, number, trio_token=tokens[0]))
