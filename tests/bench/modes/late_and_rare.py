"""Leaks that come late, in steps, of few jobs, for each user, or by the clock."""

import array
import collections
import random
import threading
import time
import uuid

from mode import leak, mode
from serve import SEED

LOCK = threading.Lock()


def key():
    return uuid.uuid4().hex


def by_chance(share, size):
    rng, kept = random.Random(SEED), []
    return lambda _: kept.append(b"x" * size) if rng.random() < share else None


@mode(leak(900, give=0.3, item="bytes", holder="kept", line='kept.append(b"x" * size)'))
def one_percent():
    """The number of jobs that keep something is itself a matter of chance."""
    return by_chance(0.01, 90_000)


@mode(leak(801, give=0.15, item="bytes", holder="kept", line='kept.append(b"x" * size)'))
def four_percent():
    return by_chance(0.04, 20_000)


@mode(leak(1010, give=0.1, item="bytes", holder="kept", line='kept.append(b"x" * size)'))
def twenty_percent():
    return by_chance(0.2, 5000)


class OrderError(Exception):
    def __init__(self, order, body):
        super().__init__(order)
        self.body = body


@mode(leak(item="OrderError", holder="failures", line="raise OrderError(number, key() * 120)"))
def every_eighth_fails():
    failures = []

    def check(number):
        if number % 8 == 0:
            raise OrderError(number, key() * 120)

    def work(number):
        try:
            check(number)
        except OrderError as error:
            failures.append(error)

    return work


@mode(leak(677, give=0.15, item="bytes", holder="kept", line='kept.append(b"x" * 65_536)'))
def every_97th():
    kept = []
    return lambda number: kept.append(b"x" * 65_536) if number % 97 == 0 else None


class Columns:
    """Numbers in blocks of 64 jobs, laid out when the last block is full."""

    WIDTH = 125

    def __init__(self):
        self.blocks, self.used = [], 0

    def add(self, numbers):
        with LOCK:
            if self.used % 64 == 0:
                self.blocks.append(array.array("d", bytes(8 * 64 * self.WIDTH)))
            block = self.blocks[-1]
            place = self.used % 64 * self.WIDTH
            block[place : place + self.WIDTH] = array.array("d", numbers)
            self.used += 1


@mode(leak(1001, give=0.16, item=r"array|array\.array", holder="blocks", line="self.blocks.append("))
def blocks_of_64():
    columns, row = Columns(), [1.0] * Columns.WIDTH
    return lambda _: columns.add(row)


@mode(leak(890, give=0.5, item="int|tuple", holder="seen", line="seen.add("))
def table_that_doubles():
    """Ten numbers a job: the set's table is doubled now and then, and the numbers lie in the allocator's blocks."""
    seen = set()

    def work(number):
        for each in range(10):
            seen.add(number * 1000 + 10_000 + each)

    return work


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y


@mode(leak(1205, give=0.1, item="Point", holder="track", line="track.extend("))
def many_small_ones():
    """Ten points a job, of two floats each: pools of 16 kB and arenas of a megabyte behind them."""
    track = []
    return lambda number: track.extend(Point(number + each / 7, number - each / 7) for each in range(10))


class User:
    def __init__(self, name):
        self.name, self.visits = name, []


@mode(leak(item="User", holder="users", line="users[name] = User(name) | users[name].visits.append("))
def new_user_each_fifth():
    users = {}

    def work(number):
        name = f"user {number // 5}"
        if name not in users:
            users[name] = User(name)
        users[name].visits.append({"number": number, "agent": key() * 20})

    return work


@mode(leak(item="deque|list", holder="inboxes", line="inboxes[number // 3].append( | collections.deque(maxlen=50)"))
def bounded_inbox_of_each_session():
    """Each inbox is bounded; there is one more of them every third job."""
    inboxes = collections.defaultdict(lambda: collections.deque(maxlen=50))
    return lambda number: inboxes[number // 3].append(bytes(2000))


@mode(leak(1561, give=0.06, item="bytes", holder="archive", line="cache[key()] = bytes(1500)"))
def archive_behind_a_cache():
    """The cache is bounded by four hundred; what it lets go is kept elsewhere."""
    cache, archive = collections.OrderedDict(), []

    def work(_):
        with LOCK:
            cache[key()] = bytes(1500)
            if len(cache) > 400:
                archive.append(cache.popitem(last=False)[1])

    return work


@mode(leak(item="bytes", holder="reports", line='reports.append(b"x" * 60_000)'))
def four_times_a_second():
    """A thread keeps a report for the time that passes, whatever the jobs do."""
    reports = []

    def report():
        while True:
            time.sleep(0.25)
            reports.append(b"x" * 60_000)

    threading.Thread(target=report, daemon=True).start()
    return lambda _: time.sleep(0.002)


@mode(leak(1080, give=0.05, item="bytes", holder="kept", line="kept.append(bytes(1024))"))
def after_two_seconds():
    """As when the first token is renewed."""
    kept, begin = [], time.monotonic() + 2

    def work(_):
        time.sleep(0.005)
        if time.monotonic() > begin:
            kept.append(bytes(1024))

    return work


@mode(leak(930, give=0.12, item="dict", holder="history", line="history[account].append({"))
def histories_of_some_accounts():
    """A hundred accounts whose histories are never cut."""
    history, rng = collections.defaultdict(list), random.Random(SEED)

    def work(number):
        account = rng.randrange(100)
        history[account].append({"number": number, "text": key() * 20})

    return work


@mode(leak(1100, give=0.9, item="dict|str", holder="seen", line="seen[key()] ="))
def half_in_bursts():
    """Two hundred jobs that keep, then two hundred that do not."""
    seen = {}

    def work(number):
        if number // 200 % 2 == 0:
            seen[key()] = {"text": key() * 60}

    return work
