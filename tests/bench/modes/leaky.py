"""Servers that keep something of their jobs for ever; each function makes one."""

import collections
import ctypes
import functools
import gc
import mmap
import random
import sqlite3
import threading
import time

from mode import leak, mode
from PIL import Image
from serve import SEED

WARM_UP = 250


@mode(leak(1080, item="bytes", holder="kept", line="kept.append(bytes(1024))"))
def buffers():
    kept = []
    return lambda _: kept.append(bytes(1024))


@mode(leak(1150, give=0.1, item="bytes", holder="kept", line="kept.update("))
def mapping():
    kept = {}
    return lambda number: kept.update({str(number): bytes(1024)})


@mode(leak(item="function", holder="kept", line="data = bytes(1024) | kept.append("))
def closures():
    kept = []

    def work(number):
        data = bytes(1024)
        kept.append(lambda: (number, data))

    return work


@mode(leak(item="Thread", holder=r"\d+ threads", line="threading.Thread("))
def threads():
    """Every tenth job starts a thread that never ends."""
    never = threading.Event()

    def work(number):
        if number % 10 == 0:
            threading.Thread(target=never.wait, daemon=True).start()

    return work


@mode(leak(item="Image", holder="kept", line="kept.append(Image.new("))
def images():
    kept = []
    return lambda _: kept.append(Image.new("L", (100, 120)))


@mode(leak(2064))
def malloc():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    return lambda _: libc.malloc(2048) and None


@mode(leak(8192, give=0.04))
def maps():
    """Memory that is mapped directly, beside all allocators."""
    kept = []

    def work(_):
        kept.append(mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        kept[-1].write(b"x" * 8192)

    return work


@mode(leak(holder="connection"))
def sqlite():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("create table jobs (text)")
    lock = threading.Lock()

    def work(_):
        with lock:
            connection.execute("insert into jobs values (?)", ("x" * 1500,))

    return work


@mode(leak(line="ring = [bytes(2000)]"))
def cycles():
    """Garbage in cycles, for which nobody comes."""
    gc.disable()

    def work(_):
        ring = [bytes(2000)]
        ring.append(ring)

    return work


@mode(leak(150, give=0.1, item="bytes", holder="kept", line="kept.append(bytes(15_000))"))
def rare():
    """One job in a hundred keeps 15 kB."""
    rng, kept = random.Random(SEED), []
    return lambda _: kept.append(bytes(15_000)) if rng.random() < 0.01 else None


@mode(leak(700, give=0.1, item="bytes", holder="kept", line="kept.append(bytes(1350))"))
def half():
    """Every other job, at random, keeps 1.4 kB."""
    rng, kept = random.Random(SEED), []
    return lambda _: kept.append(bytes(1350)) if rng.random() < 0.5 else None


@mode(leak(1080, item="bytes", holder="kept", line="kept.append(bytes(1024))"))
def late():
    """Nothing for the first jobs, then every one."""
    kept, begin = [], WARM_UP + 200 + SEED % 100
    return lambda number: kept.append(bytes(1024)) if number > begin else None


@mode(leak(1080, item="list|bytes", holder="kept", line="append(bytes(1024))"))
def users():
    """A list for each of twenty users."""
    kept = collections.defaultdict(list)
    return lambda number: kept[number % 20].append(bytes(1024))


@mode(leak(item="ValueError", holder="kept", line="int(f"))
def errors():
    """Exceptions with their tracebacks, and so with the frames' locals."""
    kept = []

    def work(_):
        data = bytes(1024)
        try:
            int(f"{len(data)} B")
        except ValueError as error:
            kept.append(error)

    return work


@mode(leak(2150, give=0.1, item="bytes", holder="render|work|lru_cache", line="bytes(2000 + number % 7)"))
def unbounded():
    return functools.lru_cache(maxsize=None)(lambda number: bytes(2000 + number % 7))


@mode(leak(200_000, item="bytes", holder="kept", line="kept.append(bytes(200_000))"), options=("--max-jobs", "10"))
def expensive():
    """A job takes its time, and a check few of them; 200 kB of each stay."""
    kept = []

    def work(_):
        time.sleep(0.2)
        kept.append(bytes(200_000))

    return work
