"""A pool whose database is down: its workers try again and again."""

# /// script
# dependencies = ["psycopg[binary,pool]"]
# [tool.libraries]
# kind = "threads"
# ///

import logging

from psycopg import sql
from psycopg_pool import ConnectionPool
from using.pair import pair

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
pool = ConnectionPool("host=127.0.0.1 port=9", min_size=2, reconnect_timeout=5, open=True)


def work(number):
    pool.get_stats()
    return sql.SQL("select {}").format(sql.SQL(", ").join([sql.Literal(f"{number} {place}") for place in range(20)]))


leak, clean = pair(work)
