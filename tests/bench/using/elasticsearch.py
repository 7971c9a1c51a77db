"""A client whose server is down."""

# /// script
# dependencies = ["elasticsearch"]
# [tool.libraries]
# kind = "connection pool"
# ///

from elasticsearch import Elasticsearch, TransportError
from using.pair import pair

client = Elasticsearch("http://127.0.0.1:9", max_retries=0)


def work(number):
    try:
        client.index(index="jobs", document={"number": number, "data": "x" * 3000})
    except TransportError as error:
        return error
    raise AssertionError


leak, clean = pair(work)
