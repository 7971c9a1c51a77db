"""Servers that keep something of their jobs for ever; each function makes one. `BYTES_PER_JOB` says how much."""

import collections
import ctypes
import functools
import gc
import mmap
import random
import sqlite3
import threading
import time

from PIL import Image
from serve import SEED, serve

WARM_UP = 250
BYTES_PER_JOB = {
    "buffers": 1080,
    "mapping": 1130,
    "users": 1080,
    "rare": 150,
    "late": 1080,
    "half": 700,
    "malloc": 2064,
    "maps": 8192,
    "expensive": 200_000,
}


def buffers():
    kept = []
    return serve(lambda _: kept.append(bytes(1024)))


def mapping():
    kept = {}
    return serve(lambda number: kept.update({str(number): bytes(1024)}))


def closures():
    kept = []

    def work(number):
        data = bytes(1024)
        kept.append(lambda: (number, data))

    return serve(work)


def threads():
    """Every tenth job starts a thread that never ends."""
    never = threading.Event()

    def work(number):
        if number % 10 == 0:
            threading.Thread(target=never.wait, daemon=True).start()

    return serve(work)


def images():
    kept = []
    return serve(lambda _: kept.append(Image.new("L", (100, 120))))


def malloc():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    return serve(lambda _: libc.malloc(2048) and None)


def maps():
    """Memory that is mapped directly, beside all allocators."""
    kept = []

    def work(_):
        kept.append(mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        kept[-1].write(b"x" * 8192)

    return serve(work)


def sqlite():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("create table jobs (text)")
    lock = threading.Lock()

    def work(_):
        with lock:
            connection.execute("insert into jobs values (?)", ("x" * 1500,))

    return serve(work)


def cycles():
    """Garbage in cycles, for which nobody comes."""
    gc.disable()

    def work(_):
        ring = [bytes(2000)]
        ring.append(ring)

    return serve(work)


def rare():
    """One job in a hundred keeps 15 kB."""
    rng, kept = random.Random(SEED), []
    return serve(lambda _: kept.append(bytes(15_000)) if rng.random() < 0.01 else None)


def half():
    """Every other job, at random, keeps 1.4 kB."""
    rng, kept = random.Random(SEED), []
    return serve(lambda _: kept.append(bytes(1350)) if rng.random() < 0.5 else None)


def late():
    """Nothing for the first jobs, then every one."""
    kept, begin = [], WARM_UP + 200 + SEED % 100
    return serve(lambda number: kept.append(bytes(1024)) if number > begin else None)


def users():
    """A list for each of twenty users."""
    kept = collections.defaultdict(list)
    return serve(lambda number: kept[number % 20].append(bytes(1024)))


def errors():
    """Exceptions with their tracebacks, and so with the frames' locals."""
    kept = []

    def work(_):
        data = bytes(1024)
        try:
            int(f"{len(data)} B")
        except ValueError as error:
            kept.append(error)

    return serve(work)


def unbounded():
    render = functools.lru_cache(maxsize=None)(lambda number: bytes(2000 + number % 7))
    return serve(render)


def expensive():
    """A job takes its time, and a check few of them; 200 kB of each stay."""
    kept = []

    def work(_):
        time.sleep(0.2)
        kept.append(bytes(200_000))

    return serve(work)
