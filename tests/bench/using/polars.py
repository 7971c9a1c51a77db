"""A query on its pool of threads."""

# /// script
# dependencies = ["polars"]
# [tool.libraries]
# kind = "C threads"
# ///

import polars as pl
from using.pair import pair


def work(number):
    frame = pl.DataFrame({"number": range(number, number + 500), "text": "text"})
    return frame.lazy().filter(pl.col("number") > 3).sort("number", descending=True).collect()


leak, clean = pair(work)
