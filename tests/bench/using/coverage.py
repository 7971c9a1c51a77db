"""Its tracer, written in C, in every thread."""

# /// script
# dependencies = ["coverage"]
# [tool.libraries]
# kind = "tracing"
# ///

import coverage

tracer = coverage.Coverage(data_file=None)
tracer.start()
from using.pair import pair  # noqa: E402 - it is measured, too

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
