"""Servers that keep nothing for ever, however much they look like it; each function makes one."""

import functools
import gc
import itertools
import json
import logging
import queue
import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, render_template_string
from mode import NO_LEAK, mode, undecidable
from PIL import Image
from serve import SEED


@mode(NO_LEAK)
def hello():
    return lambda _: "hello"


@mode(NO_LEAK)
def documents():
    return lambda number: json.loads(json.dumps({"items": [{"number": number, "text": "x" * 200}] * 50}))


@mode(NO_LEAK)
def images():
    return lambda number: Image.new("RGB", (200, 200), (number % 256, 0, 0)).resize((64, 64)).tobytes()


@mode(NO_LEAK)
def lru():
    return functools.lru_cache(maxsize=100)(lambda number: bytes(3000 + number % 7))


@mode(NO_LEAK)
def fills():
    """A cache that is full after 600 jobs."""
    return functools.lru_cache(maxsize=600)(lambda number: bytes(3000 + number % 7))


def expiring():
    kept = {}

    def work(number):
        kept[number] = (time.monotonic() + 2, bytes(5000))

    def sweep():
        while True:
            time.sleep(0.1)
            now = time.monotonic()
            for number in [number for number, (until, _) in list(kept.items()) if until < now]:
                del kept[number]

    threading.Thread(target=sweep, daemon=True).start()
    return work


@mode(NO_LEAK)
def ttl():
    """Results live for two seconds."""
    return expiring()


@mode(NO_LEAK, options=("--settle", "2.2"))
def settled():
    """The same, for a check that is told to wait."""
    return expiring()


def ring(_):
    kept = [bytes(2000)]
    kept.append(kept)


@mode(NO_LEAK)
def sawtooth():
    """Garbage in cycles, which waits for the collector."""
    return ring


@mode(NO_LEAK)
def logs():
    log = logging.getLogger("shop")
    log.addHandler(logging.NullHandler())
    return lambda number: log.warning("job %d of %s", number, "x" * 100)


@mode(NO_LEAK)
def sqlite():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("create table jobs (id integer primary key, text)")
    lock = threading.Lock()

    def work(number):
        with lock:
            connection.execute("insert or replace into jobs values (?, ?)", (number % 50, "x" * 500))
            return len(connection.execute("select * from jobs").fetchall())

    return work


@mode(NO_LEAK)
def pool():
    workers = ThreadPoolExecutor(8)
    return lambda number: workers.submit(lambda: sum(range(number % 1000))).result()


@mode(NO_LEAK)
def warm():
    """Three hundred answers, computed when first asked for; the keys come at random."""
    rng, answers = random.Random(SEED), {}
    return lambda _: answers.setdefault(rng.randrange(300), bytes(4000))


@mode(undecidable(NO_LEAK))
def slow():
    """A cache of random keys that takes thousands of jobs to fill, and declares no bound."""
    rng, answers = random.Random(SEED), {}
    return lambda _: answers.setdefault(rng.randrange(3000), bytes(2000))


@mode(NO_LEAK)
def page():
    app = Flask("page")
    text = "<ul>{% for item in items %}<li>{{ item }} of {{ number }}</li>{% endfor %}</ul>"
    numbers = itertools.count()
    app.get("/work")(lambda: render_template_string(text, items=range(30), number=next(numbers)))
    return app


@mode(NO_LEAK)
def background():
    """Jobs end after their answers."""
    waiting = queue.Queue()

    def drain():
        while True:
            item = waiting.get()
            time.sleep(0.003)
            del item

    threading.Thread(target=drain, daemon=True).start()
    return lambda _: waiting.put(bytes(20_000))


@mode(NO_LEAK)
def fragments():
    """Big buffers come and go around small ones that stay a while."""
    kept = {}

    def work(number):
        big = [bytes(20_000) for _ in range(5)]
        kept[number % 200] = bytes(600 + number % 200 * 5)
        return len(big)

    return work


@mode(NO_LEAK)
def frozen():
    """The collector does not look at what the start left, and seldom at the rest."""
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    return ring


@mode(NO_LEAK)
def ramp():
    """The more requests it has seen, the more it works with, up to a point; nothing stays."""
    return lambda number: len([bytes(1000) for _ in range(min(number, 2000) // 20)])
