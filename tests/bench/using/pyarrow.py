"""A table that is sorted on its pool of threads."""

# /// script
# dependencies = ["pyarrow"]
# [tool.libraries]
# kind = "C threads"
# ///

import pyarrow as pa
from using.pair import pair


def work(number):
    table = pa.table({"number": list(range(number, number + 500)), "text": ["text"] * 500})
    return table.sort_by([("number", "descending")])


leak, clean = pair(work)
