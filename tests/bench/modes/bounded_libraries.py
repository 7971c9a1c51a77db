"""Caches of many libraries, each with a bound or an expiry, and keys that never come again."""

# /// script
# dependencies = [
#   "aiocache", "async-lru", "boltons", "cachebox", "cachelib", "cacheout", "cachetools", "cachey", "diskcache",
#   "django", "dogpile.cache", "expiringdict", "flask-caching", "jinja2", "joblib", "limits", "lru-dict", "memoization",
#   "methodtools", "moka-py", "pylru", "regex", "sqlalchemy", "theine", "uvicorn", "zict",
# ]
# ///

import re
import tempfile
import uuid

from mode import NO_LEAK, mode


def key():
    return uuid.uuid4().hex


def page(size=700):
    return key() + "p" * size


def filled(cache, entries=0):
    """A job that sets one new entry; so many are there already."""
    for _ in range(entries):
        cache[key()] = page()
    return lambda _: cache.__setitem__(key(), page())


@mode(NO_LEAK, alone=True)
def cachetools_lru():
    import cachetools

    return filled(cachetools.LRUCache(1500))


@mode(NO_LEAK, alone=True)
def cachetools_lfu_warm():
    import cachetools

    return filled(cachetools.LFUCache(3000), 1200)


@mode(NO_LEAK, alone=True)
def cachetools_fifo_of_ten_a_job():
    import cachetools

    cache = cachetools.FIFOCache(8000)

    def work(_):
        for _ in range(10):
            cache[key()] = page(200)

    return work


@mode(NO_LEAK, alone=True)
def cachetools_ttl():
    import cachetools

    return filled(cachetools.TTLCache(maxsize=100_000, ttl=4))


@mode(NO_LEAK, alone=True)
def cachetools_by_size():
    """Its bound is four million characters, whatever the number of entries."""
    import cachetools

    return filled(cachetools.LRUCache(2_000_000, getsizeof=len))


@mode(NO_LEAK)
def cacheout_lru():
    import cacheout

    cache = cacheout.LRUCache(maxsize=2000)

    def work(_):
        for _ in range(2):
            cache.set(key(), page(400))

    return work


@mode(NO_LEAK)
def cacheout_ttl():
    import cacheout

    cache = cacheout.Cache(maxsize=50_000, ttl=3)
    return lambda _: cache.set(key(), page())


@mode(NO_LEAK)
def lru_dict():
    """Written in C."""
    import lru

    return filled(lru.LRU(1300))


@mode(NO_LEAK)
def cachebox_lru():
    """Written in Rust."""
    import cachebox

    return filled(cachebox.LRUCache(2500), 900)


@mode(NO_LEAK)
def cachebox_fifo_of_ten_a_job():
    import cachebox

    cache = cachebox.FIFOCache(12_000)

    def work(_):
        for _ in range(10):
            cache[key()] = page(200)

    return work


@mode(NO_LEAK)
def moka():
    """Written in Rust, with its own housekeeping."""
    import moka_py

    cache = moka_py.Moka(capacity=1000)
    return lambda _: cache.set(key(), page())


@mode(NO_LEAK)
def theine_tiny_lfu():
    """Its policy is written in Rust; a thread of its own looks for what expired."""
    import theine

    cache = theine.Cache(1200)
    return lambda _: cache.set(key(), page())


@mode(NO_LEAK)
def aiocache_with_ttl():
    import aiocache

    cache = aiocache.SimpleMemoryCache()

    async def work(_):
        await cache.set(key(), page(2000), ttl=3)

    return work


@mode(NO_LEAK)
def async_lru_of_coroutines():
    import async_lru

    @async_lru.alru_cache(maxsize=800)
    async def render(name):
        return page(len(name) * 30)

    async def work(_):
        await render(key())

    return work


@mode(NO_LEAK)
def methodtools_of_an_instance():
    import methodtools

    class Shop:
        @methodtools.lru_cache(maxsize=900)
        def render(self, name):
            return page(len(name) * 25)

    shop = Shop()
    return lambda _: shop.render(key())


@mode(NO_LEAK)
def boltons_lru():
    from boltons.cacheutils import LRU

    return filled(LRU(max_size=1600))


@mode(NO_LEAK)
def boltons_lri_of_two_a_job():
    from boltons.cacheutils import LRI

    cache = LRI(max_size=3500)

    def work(_):
        for _ in range(2):
            cache[key()] = page()

    return work


@mode(NO_LEAK, alone=True)
def zict_lru():
    import zict

    return filled(zict.LRU(1100, {}))


@mode(NO_LEAK, alone=True)
def pylru_cache():
    import pylru

    return filled(pylru.lrucache(2000), 1000)


@mode(NO_LEAK)
def expiringdict_by_length():
    from expiringdict import ExpiringDict

    return filled(ExpiringDict(max_len=1500, max_age_seconds=3600))


@mode(NO_LEAK)
def memoization_lru():
    from memoization import cached

    @cached(max_size=1000)
    def render(name):
        return page(len(name) * 25)

    return lambda _: render(key())


@mode(NO_LEAK, alone=True)
def cachelib_simple():
    import cachelib

    cache = cachelib.SimpleCache(threshold=1400, default_timeout=0)
    return lambda _: cache.set(key(), page())


@mode(NO_LEAK, alone=True)
def flask_caching_simple():
    from flask import Flask
    from flask_caching import Cache

    shop = Flask("shop")
    cache = Cache(shop, config={"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": 900})

    def work(_):
        with shop.app_context():
            for _ in range(2):
                cache.set(key(), page())

    return work


@mode(NO_LEAK)
def django_locmem():
    from django.conf import settings

    locmem = {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 2400, "CULL_FREQUENCY": 4},
    }
    settings.configure(CACHES={"default": locmem})
    from django.core.cache import cache

    def work(_):
        for _ in range(2):
            cache.set(key(), page(), timeout=3600)

    return work


@mode(NO_LEAK)
def django_locmem_of_three_hundred():
    """Its bound is the default."""
    from django.conf import settings

    settings.configure(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}})
    from django.core.cache import cache

    return lambda _: cache.set(key(), page(3000))


@mode(NO_LEAK, alone=True)
def dogpile_over_an_lru():
    """Its memory backend takes any dictionary."""
    import cachetools
    from dogpile.cache import make_region

    region = make_region().configure(
        "dogpile.cache.memory", arguments={"cache_dict": cachetools.LRUCache(1500)}, expiration_time=3600
    )
    return lambda _: region.get_or_create(key(), page)


@mode(NO_LEAK)
def diskcache_on_disk():
    import diskcache

    cache = diskcache.Cache(tempfile.mkdtemp(prefix="labserver-mode-"), size_limit=4_000_000)
    return lambda _: cache.set(key(), page(2000), expire=60)


@mode(NO_LEAK)
def joblib_on_disk():
    import joblib

    memory = joblib.Memory(tempfile.mkdtemp(prefix="labserver-mode-"), verbose=0)

    @memory.cache
    def render(name):
        return name * 50

    return lambda _: render(key())


@mode(NO_LEAK)
def cachey_by_bytes():
    """Its bound is in bytes, and what it keeps is what was dear."""
    import cachey

    cache = cachey.Cache(1_500_000, limit=0)
    return lambda _: cache.put(key(), page(1500), cost=10)


@mode(NO_LEAK)
def jinja_templates():
    """Templates by name, compiled when first asked for."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: f"<p>{name} {{{{ number }}}}</p>"), cache_size=400, autoescape=True
    )
    return lambda number: environment.get_template(key()).render(number=number)


@mode(NO_LEAK)
def sqlalchemy_compiled():
    """Every statement has a text of its own and is compiled anew."""
    import sqlalchemy

    engine = sqlalchemy.create_engine("sqlite://", query_cache_size=300, poolclass=sqlalchemy.StaticPool)
    number_of = sqlalchemy.literal_column("1")

    def work(_):
        with engine.connect() as connection:
            connection.execute(sqlalchemy.select(number_of.label(f"n{key()}"))).all()

    return work


@mode(NO_LEAK)
def regex_patterns():
    import regex

    return lambda number: regex.search(f"job-{key()}-{number}", "a job")


@mode(NO_LEAK)
def re_patterns():
    """The standard library's, whose bound is a constant of its module."""
    return lambda number: re.search(f"job-{key()}-{number}", "a job")


@mode(NO_LEAK)
def limits_in_memory():
    """A counter for each address, which a timer takes out once its window has passed."""
    import limits

    limiter = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
    window = limits.parse("5 per 2 second")
    return lambda _: limiter.hit(window, f"{key()}{'a' * 500}")
