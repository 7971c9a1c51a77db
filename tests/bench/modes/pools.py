"""Things that are made when they are wanted, put back and used again; there are never more than so many."""

import queue
import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from mode import NO_LEAK, mode
from serve import SEED

LOCK = threading.Lock()


class Pool:
    """What was given back last is taken first; what is too much is closed."""

    def __init__(self, make, most):
        self.make, self.most, self.idle = make, most, []

    def take(self):
        with LOCK:
            if self.idle:
                return self.idle.pop()
        return self.make()

    def give(self, used):
        with LOCK:
            if len(self.idle) < self.most:
                self.idle.append(used)


@mode(NO_LEAK)
def connections():
    pool = Pool(lambda: sqlite3.connect(":memory:", check_same_thread=False), 20)

    def work(_):
        connection = pool.take()
        connection.execute("select 1").fetchall()
        pool.give(connection)

    return work


@mode(NO_LEAK)
def buffers():
    """Of 64 kB."""
    pool = Pool(lambda: bytearray(65_536), 16)

    def work(number):
        buffer = pool.take()
        buffer[number % 65_536] = 1
        pool.give(buffer)

    return work


@mode(NO_LEAK)
def threads():
    """Sixty-four workers, started one by one as jobs find none that is idle."""
    workers = ThreadPoolExecutor(64)
    return lambda _: [job.result() for job in [workers.submit(time.sleep, 0.001) for _ in range(4)]]


@mode(NO_LEAK)
def connections_of_tenants():
    """One for each of four hundred tenants, who come at random."""
    connections, rng = {}, random.Random(SEED)

    def work(_):
        tenant = rng.randrange(400)
        if tenant not in connections:
            connections[tenant] = {"tenant": tenant, "buffer": bytearray(3000)}
        return connections[tenant]

    return work


@mode(NO_LEAK)
def records_used_again():
    """Eight hundred records go round; the free ones wait in a queue."""
    free, made = queue.LifoQueue(), []

    def work(number):
        busy = []
        for _ in range(8):
            try:
                record = free.get_nowait()
            except queue.Empty:
                record = {}
                made.append(None)
            record.update(number=number, text="x" * 500)
            busy.append(record)
        for record in busy[: 800 - free.qsize()]:
            free.put(record)

    return work


@mode(NO_LEAK)
def locks_of_accounts():
    """A lock and a counter for each of fifteen hundred accounts."""
    accounts, rng = {}, random.Random(SEED)

    def work(_):
        for _ in range(4):
            state = accounts.setdefault(rng.randrange(1500), {"lock": threading.Lock(), "notes": bytearray(300)})
            with state["lock"]:
                state["seen"] = True

    return work
