"""A consumer's threads, and a queue in memory."""

# /// script
# dependencies = ["huey"]
# [tool.libraries]
# kind = "threads"
# ///

from huey import MemoryHuey
from using.pair import pair

huey = MemoryHuey()


@huey.task()
def render(number, _):
    return number


consumer = huey.create_consumer(workers=2, initial_delay=0.01, max_delay=0.02)
consumer._set_signal_handlers = lambda: None
consumer.start()


def work(number):
    result = render(number, [f"{number} {place}" for place in range(50)])
    result.get(blocking=True, timeout=10, backoff=1, max_delay=0.02)
    return result


leak, clean = pair(work)
