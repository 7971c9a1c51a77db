"""An array that is worked out on its pool of threads."""

# /// script
# dependencies = ["dask[array]"]
# [tool.libraries]
# kind = "threads"
# ///

import dask.array
from using.pair import pair

leak, clean = pair(lambda _: dask.array.ones(500, chunks=100).cumsum(axis=0).compute(scheduler="threads"))
