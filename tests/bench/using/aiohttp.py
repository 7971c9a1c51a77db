"""Its server and its client on a loop in a thread."""

# /// script
# dependencies = ["aiohttp"]
# [tool.libraries]
# kind = "event loop"
# ///

import asyncio
import threading

from aiohttp import ClientSession, web
from using.pair import pair

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


async def answer(_):
    return web.Response(text="x" * 3000)


async def start():
    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner.addresses[0][1], ClientSession()


async def fetch():
    async with client.get(f"http://127.0.0.1:{port}/") as response:
        await response.read()
        return response


def wait_for(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


port, client = wait_for(start())
leak, clean = pair(lambda _: wait_for(fetch()))
