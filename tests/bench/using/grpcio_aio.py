"""Its asynchronous server and channel on a loop in a thread."""

# /// script
# dependencies = ["grpcio"]
# [tool.libraries]
# kind = "C threads, C at-fork handlers"
# ///

import asyncio
import threading

import grpc
from using.pair import pair

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


class Echo(grpc.GenericRpcHandler):
    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(self.echo)

    async def echo(self, request, _):
        return request


async def start():
    server = grpc.aio.server(handlers=[Echo()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, grpc.aio.insecure_channel(f"127.0.0.1:{port}")


def wait_for(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


server, channel = wait_for(start())


async def call():
    return await channel.unary_unary("/echo/Echo")(bytes(3000))


leak, clean = pair(lambda _: wait_for(call()))
