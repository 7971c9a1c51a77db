"""Its profiler, written in C, in every thread."""

# /// script
# dependencies = ["yappi"]
# [tool.libraries]
# kind = "tracing"
# ///

import yappi
from using.pair import pair

yappi.start()

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
