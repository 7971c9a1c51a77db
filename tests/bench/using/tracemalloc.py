"""Allocations traced from the start."""

# /// script
# dependencies = []
# [tool.libraries]
# kind = "tracing"
# ///

import tracemalloc

from using.pair import pair

tracemalloc.start(10)

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
