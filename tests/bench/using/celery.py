"""A worker in a thread, its broker and its results in memory."""

# /// script
# dependencies = ["celery"]
# [tool.libraries]
# kind = "threads, proxies"
# ///

from celery import Celery
from celery.contrib.testing.worker import start_worker
from using.pair import pair

app = Celery(broker="memory://", backend="cache+memory://")
app.conf.broker_transport_options = {"polling_interval": 0.005}
app.conf.worker_hijack_root_logger = False


@app.task
def render(number):
    return [f"{number} {place}" for place in range(50)]


worker = start_worker(app, pool="solo", perform_ping_check=False, loglevel="critical")
worker.__enter__()


def work(number):
    result = render.delay(number)
    result.get(timeout=30, interval=0.005)
    result.forget()
    return result


leak, clean = pair(lambda number: (work(number), [f"{number} {place}" for place in range(50)]))
