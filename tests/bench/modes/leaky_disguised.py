"""Leaks beside a bounded cache, or in code that looks as if it had a bound."""

import collections
import functools
import logging
import threading
import time
import uuid
import warnings
import weakref

from mode import leak, mode

LOCK = threading.Lock()


def key():
    return uuid.uuid4().hex


@mode(leak(1250, give=0.08, item="dict", holder="timings", line='timings.append({"number"'))
def beside_an_lru_cache():
    render = functools.lru_cache(maxsize=150)(lambda name: name * 30)
    timings = []

    def work(number):
        render(key())
        timings.append({"number": number, "notes": key() * 30})

    return work


class Shop:
    """Its baskets are bounded, its receipts are not; `pop` stands beside both."""

    def __init__(self):
        self.baskets, self.receipts = {}, {}

    def buy(self, name):
        with LOCK:
            self.baskets[name] = [name]
            self.receipts[name] = f"receipt of {name}" * 25
            if len(self.baskets) > 100:
                self.baskets.pop(next(iter(self.baskets)))


@mode(leak(item="str", holder="receipts", line="self.receipts[name] ="))
def pop_of_the_other_one():
    shop = Shop()
    return lambda _: shop.buy(key())


class Registry:
    def __init__(self):
        self.jobs = {}

    def begin(self, name, number):
        self.jobs[name, number] = {"name": name, "log": key() * 40}

    def finish(self, name):
        self.jobs.pop(name, None)


@mode(leak(item="dict", holder="jobs", line="self.jobs[name, number] ="))
def pop_of_a_wrong_key():
    """Each job takes out what it put in, by a key that was never there."""
    registry = Registry()

    def work(number):
        name = key()
        registry.begin(name, number)
        registry.finish(name)

    return work


class Tokens:
    """Tokens expire, and are taken out when somebody shows one that has expired; nobody comes back with an old one."""

    def __init__(self):
        self.tokens = {}

    def issue(self, name):
        self.tokens[name] = (time.monotonic() + 1, f"token of {name}" * 20)

    def check(self, name):
        until, token = self.tokens[name]
        if until < time.monotonic():
            del self.tokens[name]
            return None
        return token


@mode(leak(item="tuple", holder="tokens", line="self.tokens[name] ="))
def expired_but_never_asked_for():
    tokens = Tokens()

    def work(_):
        name = key()
        tokens.issue(name)
        tokens.check(name)

    return work


class RateLimiter:
    """`limit` is the number of requests that one address has in a window."""

    def __init__(self, limit, window_s):
        self.limit, self.window_s, self.hits = limit, window_s, {}

    def allow(self, address):
        now = time.time()
        recent = [hit for hit in self.hits.get(address, []) if hit[0] > now - self.window_s]
        if len(recent) >= self.limit:
            return False
        recent.append((now, f"from {address}" * 20))
        self.hits[address] = recent
        return True


@mode(leak(item="list", holder="hits", line="recent.append("))
def limit_of_something_else():
    limiter = RateLimiter(5000, 3600)
    return lambda _: limiter.allow(key())


class Uploads:
    """`max_size` is what one file may weigh."""

    max_size = 3000

    def __init__(self):
        self.files = {}

    def store(self, name, content):
        if len(content) <= self.max_size:
            self.files[name] = content


@mode(leak(item="bytes", holder="files", line="uploads.store(key(), bytes(2500))"))
def max_size_of_one_entry():
    uploads = Uploads()
    return lambda _: uploads.store(key(), bytes(2500))


class Results:
    def __init__(self, max_entries):
        self.max_entries, self.entries = max_entries, collections.OrderedDict()

    def put(self, name, value):
        with LOCK:
            self.entries[name] = value
            while len(self.entries) > self.max_entries:
                self.entries.popitem(last=False)


@mode(leak(100_150, give=0.01, item="bytes", holder="entries", line='results.put(key(), b"x" * 100_000)'))
def bound_that_nobody_can_afford():
    """A million entries of 100 kB."""
    results = Results(1_000_000)
    return lambda _: results.put(key(), b"x" * 100_000)


class Thumbnails:
    """Bounded by a hundred megabytes of what its views show; each keeps the whole picture alive."""

    def __init__(self, budget):
        self.budget, self.used, self.views = budget, 0, collections.OrderedDict()

    def add(self, name, view):
        with LOCK:
            self.views[name] = view
            self.used += len(view)
            while self.used > self.budget:
                self.used -= len(self.views.popitem(last=False)[1])


@mode(leak(60_500, give=0.02, item="memoryview", holder="views", line='picture = b"x" * 60_000'))
def views_of_large_buffers():
    thumbnails = Thumbnails(100_000_000)

    def work(_):
        picture = b"x" * 60_000
        thumbnails.add(key(), memoryview(picture)[:64])

    return work


class Order:
    def __init__(self):
        self.text = key() * 25


@mode(leak(item="Order|list|KeyedRef|dict|ReferenceType|tuple", holder="notes", line="self.text = | order = Order()"))
def weak_keys_that_their_values_hold():
    notes = weakref.WeakKeyDictionary()

    def work(_):
        order = Order()
        notes[order] = [order]

    return work


@mode(leak(item="_lru_cache_wrapper", holder="renderers", line="name * 40 | renderers.append( | render(name)"))
def a_bounded_cache_of_each_job():
    """A cache with a bound of 128 for each job."""
    renderers = []

    def work(_):
        name = key()
        render = functools.lru_cache(maxsize=128)(lambda name: name * 40)
        render(name)
        renderers.append(render)

    return work


STATE = {"pages": {}}


def forget():
    """Rebinds a name of its own, and nothing is forgotten."""
    pages = STATE["pages"]
    if len(pages) > 200:
        pages = {}
    return pages


@mode(leak(item="str", holder="STATE", line='STATE["pages"][key()] ='))
def forgotten_in_vain():
    def work(_):
        STATE["pages"][key()] = key() * 40
        forget()

    return work


class Events:
    """The counts are cut, the details are not."""

    def __init__(self):
        self.counts, self.details = collections.Counter(), collections.defaultdict(list)

    def note(self, kind, detail):
        with LOCK:
            self.counts[detail] += 1
            if len(self.counts) > 500:
                self.counts.clear()
            self.details[kind].append(detail)


@mode(leak(1033, give=0.08, item="str", holder="details", line="events.note("))
def cleared_beside_it():
    events = Events()
    return lambda number: events.note(f"kind {number % 7}", key() * 30)


@mode(leak(item="Logger", holder="loggerDict", line="logging.getLogger("))
def logger_of_each_job():
    def work(number):
        logging.getLogger(f"shop.job.{number}").addHandler(logging.NullHandler())

    return work


@mode(
    leak(
        330, give=0.3, item="Handler|NullHandler|list|ReferenceType", holder="handlers|_handler", line="log.addHandler("
    )
)
def handler_of_each_job():
    """A handler of the same logger for every job."""
    log = logging.getLogger("shop.orders")
    log.propagate = False
    return lambda _: log.addHandler(logging.NullHandler())


@mode(leak(item="tuple", holder="filters", line="warnings.filterwarnings("))
def warning_filter_of_each_job():
    return lambda number: warnings.filterwarnings("ignore", message=f"job {number} of {key()}")


class Signal:
    def __init__(self):
        self.receivers = []

    def connect(self, receiver):
        self.receivers.append(receiver)

    def disconnect(self, receiver):
        self.receivers.remove(receiver)


@mode(leak(2409, give=0.06, item="function|method", holder="receivers", line="data = bytes(2000) | signal.connect("))
def receiver_of_each_job():
    """`disconnect` is there, and nobody calls it."""
    signal = Signal()

    def work(number):
        data = bytes(2000)
        signal.connect(lambda: (number, data))

    return work


@mode(leak(item="Order", holder="open_orders", line="order = Order() | self.text ="))
def removed_only_on_failure():
    open_orders = {}

    def work(number):
        order = open_orders[number] = Order()
        try:
            order.text.index("b" * 3 + "-")
        except ValueError:
            return
        del open_orders[number]

    return work
