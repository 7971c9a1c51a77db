"""A worker's threads, and a broker in memory."""

# /// script
# dependencies = ["dramatiq"]
# [tool.libraries]
# kind = "threads"
# ///

import threading

import dramatiq
from dramatiq.brokers.stub import StubBroker
from using.pair import pair

broker = StubBroker()
dramatiq.set_broker(broker)
events = {}


@dramatiq.actor
def render(number, _):
    events.pop(number).set()


broker.declare_queue(render.queue_name)
worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=20)
worker.start()


def work(number):
    events[number] = done = threading.Event()
    message = render.send(number, [f"{number} {place}" for place in range(50)])
    done.wait(10)
    return message


leak, clean = pair(work)
