"""A query on its pool of threads."""

# /// script
# dependencies = ["polars"]
# [tool.libraries]
# kind = "C threads"
# ///

import polars
from using.pair import pair


def work(number):
    frame = polars.DataFrame({"number": range(number, number + 500), "text": "text"})
    return frame.lazy().filter(polars.col("number") > 3).sort("number", descending=True).collect()


leak, clean = pair(work)
