"""A client whose server is down, and a pipeline of commands."""

# /// script
# dependencies = ["redis"]
# [tool.libraries]
# kind = "connection pool"
# ///

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from using.pair import pair

client = redis.Redis("127.0.0.1", 9, retry=Retry(NoBackoff(), 0))


def work(number):
    pipeline = client.pipeline()
    for place in range(20):
        pipeline.set(f"{number} {place}", number)
    try:
        pipeline.execute()
    except redis.ConnectionError:
        for place in range(20):
            pipeline.set(f"{number} {place}", number)
    return pipeline


leak, clean = pair(work)
