"""A server and a client, each with a thread."""

# /// script
# dependencies = ["paramiko"]
# [tool.libraries]
# kind = "threads"
# ///

import socket
import threading

import paramiko
from using.pair import pair

here, there = socket.socketpair()


class Door(paramiko.ServerInterface):
    def check_auth_none(self, _):
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, _):
        return "none"

    def check_channel_request(self, _, __):
        return paramiko.OPEN_SUCCEEDED


server = paramiko.Transport(there)
server.add_server_key(paramiko.ECDSAKey.generate())
server.start_server(event=threading.Event(), server=Door())
client = paramiko.Transport(here)
client.start_client(timeout=10)
client.auth_none("user")


def work(number):
    message = paramiko.Message()
    message.add_string(f"{number:04}" * 800)
    client.send_ignore(10)
    return message


leak, clean = pair(work)
