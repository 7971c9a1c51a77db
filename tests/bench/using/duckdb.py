"""A query, and its answer as arrays."""

# /// script
# dependencies = ["duckdb"]
# [tool.libraries]
# kind = "C threads"
# ///

import duckdb
from using.pair import pair

connection = duckdb.connect()


def work(number):
    return connection.cursor().execute("select range, range * ? from range(500)", [number]).fetchnumpy()


leak, clean = pair(work)
