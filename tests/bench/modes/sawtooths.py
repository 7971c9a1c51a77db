"""What comes with the jobs goes all at once: after a time, after so many jobs, or when somebody asks."""

import asyncio
import collections
import logging
import logging.handlers
import queue
import threading
import time
import uuid

from mode import NO_LEAK, mode, undecidable

LOCK = threading.Lock()


def key():
    return uuid.uuid4().hex


PREVIEWS = {}


def emptied_by_a_timer(seconds):
    def empty():
        PREVIEWS.clear()
        timer = threading.Timer(seconds, empty)
        timer.daemon = True
        timer.start()

    empty()
    return lambda _: PREVIEWS.update({key(): bytes(20_000)})


@mode(NO_LEAK)
def timer_of_half_a_second():
    return emptied_by_a_timer(0.5)


@mode(NO_LEAK)
def timer_of_two_seconds():
    return emptied_by_a_timer(2)


@mode(NO_LEAK)
def timer_of_five_seconds():
    return emptied_by_a_timer(5)


def emptied_by_a_thread(seconds, size=4000):
    store = {}

    def sweep():
        while True:
            time.sleep(seconds)
            store.clear()

    threading.Thread(target=sweep, daemon=True).start()
    return lambda _: store.update({key(): bytes(size)})


@mode(NO_LEAK)
def thread_of_one_second():
    return emptied_by_a_thread(1)


@mode(NO_LEAK)
def thread_of_twelve_seconds():
    return emptied_by_a_thread(12)


@mode(NO_LEAK)
def thread_of_thirty_seconds():
    return emptied_by_a_thread(30)


@mode(undecidable(NO_LEAK), options=("--settle", "61"))
def thread_of_sixty_seconds():
    return emptied_by_a_thread(60)


@mode(NO_LEAK)
def task_of_three_seconds():
    """A task of the event loop empties the store."""
    store, tasks = {}, []

    async def sweep():
        while True:
            await asyncio.sleep(3)
            store.clear()

    async def work(_):
        if not tasks:
            tasks.append(asyncio.create_task(sweep()))
        store[key()] = bytes(8000)

    return work


@mode(NO_LEAK)
def each_after_four_seconds():
    """Every entry has a timer of its own in the event loop."""
    store = {}

    async def work(_):
        name = key()
        store[name] = bytes(6000)
        asyncio.get_running_loop().call_later(4, store.pop, name)

    return work


@mode(NO_LEAK)
def expired_when_the_next_comes():
    """Entries live for three seconds, and the next job takes out what is older: nothing goes while no job comes."""
    store = collections.OrderedDict()

    def work(_):
        now = time.monotonic()
        with LOCK:
            while store and next(iter(store.values()))[0] < now - 3:
                store.popitem(last=False)
            store[key()] = (now, bytes(3000))

    return work


@mode(NO_LEAK)
def swept_by_every_hundredth():
    """The same, looked for by one job in a hundred."""
    store = {}

    def work(number):
        now = time.monotonic()
        store[key()] = (now + 2, bytes(3000))
        if number % 100 == 0:
            with LOCK:
                for name in [name for name, (until, _) in list(store.items()) if until < now]:
                    del store[name]

    return work


class Batch:
    """Rows that are written together."""

    def __init__(self, most):
        self.most, self.rows = most, []

    def add(self, row):
        with LOCK:
            self.rows.append(row)
            if len(self.rows) >= self.most:
                self.flush()

    def flush(self):
        self.rows.clear()


@mode(NO_LEAK)
def batch_of_fifty():
    batch = Batch(50)
    return lambda number: batch.add({"number": number, "text": key() * 100})


@mode(NO_LEAK)
def batch_of_seven_hundred():
    batch = Batch(700)
    return lambda number: batch.add({"number": number, "text": key() * 50})


@mode(NO_LEAK)
def batch_of_five_thousand():
    batch = Batch(5000)
    return lambda number: batch.add({"number": number, "text": key() * 20})


@mode(NO_LEAK)
def batch_replaced():
    """Two thousand rows are handed on as they are, and a new list takes their place."""
    batch = Batch(2000)

    def hand_on():
        batch.rows = []

    batch.flush = hand_on
    return lambda number: batch.add({"number": number, "text": key() * 30})


@mode(NO_LEAK)
def batch_or_time():
    """Written when there are three hundred, and every two seconds."""
    batch = Batch(300)

    def write():
        while True:
            time.sleep(2)
            with LOCK:
                batch.flush()

    threading.Thread(target=write, daemon=True).start()
    return lambda number: batch.add({"number": number, "text": key() * 80})


@mode(NO_LEAK)
def spooled_log():
    """A log's records wait until there are a thousand."""
    log = logging.getLogger("shop.spool")
    log.propagate = False
    log.addHandler(logging.handlers.MemoryHandler(1000, flushLevel=logging.CRITICAL, target=logging.NullHandler()))
    return lambda number: log.warning("job %d of %s", number, key() * 20)


@mode(NO_LEAK)
def drained_every_second():
    """Who takes from the queue takes all, once a second."""
    waiting = queue.Queue()

    def drain():
        while True:
            time.sleep(1)
            while not waiting.empty():
                waiting.get()

    threading.Thread(target=drain, daemon=True).start()
    return lambda _: waiting.put(bytes(10_000))


@mode(NO_LEAK)
def snapshot_replaced():
    """What the jobs did is counted into a report that begins anew every four seconds."""
    report = {"since": time.monotonic(), "rows": []}

    def work(number):
        if time.monotonic() - report["since"] > 4:
            report.update(since=time.monotonic(), rows=[])
        report["rows"].append((number, key() * 60))

    return work
