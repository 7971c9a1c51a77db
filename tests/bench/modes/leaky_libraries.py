"""Libraries that keep what they are given: without a bound, or by the way they are used."""

# /// script
# dependencies = [
#   "aiocache", "beaker", "blinker", "cachetools", "django", "dogpile.cache", "methodtools", "requests-cache",
#   "sqlalchemy", "uvicorn",
# ]
# ///

import io
import math
import uuid

from mode import leak, mode


def key():
    return uuid.uuid4().hex


def page(size=1500):
    return key() + "p" * size


@mode(
    leak(
        item="CachedValue|tuple|bytes|str",
        holder="cache|region",
        line="region.get_or_create(key(), page) | return key() +",
    )
)
def dogpile_memory():
    """Values expire, but none is ever taken out."""
    from dogpile.cache import make_region

    region = make_region().configure("dogpile.cache.memory", expiration_time=1)
    return lambda _: region.get_or_create(key(), page)


@mode(leak(item="tuple|str|bytes|list", holder="beaker|cache", line="cache.put(key(), page()) | return key() +"))
def beaker_memory():
    from beaker.cache import CacheManager
    from beaker.util import parse_cache_config_options

    manager = CacheManager(**parse_cache_config_options({"cache.type": "memory"}))
    cache = manager.get_cache("pages", expire=1)
    return lambda _: cache.put(key(), page())


@mode(leak(item="str", holder="_cache", line="await cache.set(key(), page()) | return key() +"))
def aiocache_without_ttl():
    import aiocache

    cache = aiocache.SimpleMemoryCache()

    async def work(_):
        await cache.set(key(), page())

    return work


@mode(leak(item="str", holder="cache", line="cache[key()] = page() | return key() +"), alone=True)
def cachetools_without_bound():
    import cachetools

    cache = cachetools.LRUCache(math.inf)

    def work(_):
        cache[key()] = page()

    return work


@mode(leak(item="str", holder="render|shop", line="return page(len(name) * 30) | return key() +"))
def methodtools_without_bound():
    import methodtools

    class Shop:
        @methodtools.lru_cache(maxsize=None)
        def render(self, name):
            return page(len(name) * 30)

    shop = Shop()
    return lambda _: shop.render(key())


@mode(leak(item="CachedResponse|bytes|str", holder="responses|cache", line="session.get("))
def requests_cache_memory():
    """Its backend in memory has no bound; every page has an address of its own."""
    import requests
    import requests_cache
    from requests.adapters import BaseAdapter
    from urllib3 import HTTPResponse

    class Shop(BaseAdapter):
        def send(self, request, **_):
            raw = HTTPResponse(io.BytesIO(page().encode()), status=200, preload_content=False)
            return requests.adapters.HTTPAdapter().build_response(request, raw)

        def close(self):
            pass

    session = requests_cache.CachedSession(backend="memory")
    requests.Session.mount(session, "https://", Shop())
    return lambda _: session.get(f"https://shop.example/{key()}")


@mode(leak(item="function", holder="receivers", line="data = page() | sold.connect("))
def blinker_strong_receivers():
    import blinker

    sold = blinker.Signal()

    def work(_):
        data = page()
        sold.connect(lambda _: len(data), weak=False)

    return work


@mode(leak(item="tuple", holder="receivers", line="data = page() | sold.connect("))
def django_signal():
    """Receivers that are connected by each job, strongly."""
    from django.conf import settings

    settings.configure()
    from django.dispatch import Signal

    sold = Signal()

    def work(_):
        data = page()
        sold.connect(lambda **_: len(data), weak=False)

    return work


@mode(leak(holder="sqlalchemy|listeners|dispatch", line="data = page() | sqlalchemy.event.listen("))
def sqlalchemy_listeners():
    import sqlalchemy

    engine = sqlalchemy.create_engine("sqlite://")

    def work(_):
        data = page()
        sqlalchemy.event.listen(engine, "connect", lambda *_: len(data))

    return work


@mode(leak(item="Engine", holder="engines", line="engines.append(sqlalchemy.create_engine("))
def sqlalchemy_engines():
    """An engine for each job, kept for later."""
    import sqlalchemy

    engines = []
    return lambda number: engines.append(sqlalchemy.create_engine("sqlite://", connect_args={"timeout": number + 1}))
