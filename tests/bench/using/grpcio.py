"""A server and a channel to it."""

# /// script
# dependencies = ["grpcio"]
# [tool.libraries]
# kind = "C threads, C at-fork handlers"
# ///

from concurrent import futures

import grpc
from using.pair import pair


class Echo(grpc.GenericRpcHandler):
    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda request, _: request)


server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Echo()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
echo = channel.unary_unary("/echo/Echo")
leak, clean = pair(lambda _: echo(bytes(3000)))
