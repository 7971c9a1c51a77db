"""Messages through a socket in this process."""

# /// script
# dependencies = ["pyzmq"]
# [tool.libraries]
# kind = "C threads"
# ///

import threading

import zmq
from using.pair import pair

context, lock = zmq.Context(io_threads=2), threading.Lock()
inlet, outlet = context.socket(zmq.PUSH), context.socket(zmq.PULL)
outlet.bind("inproc://jobs")
inlet.connect("inproc://jobs")


def work(_):
    with lock:
        inlet.send(bytes(3000))
        return outlet.recv(copy=False)


leak, clean = pair(work)
