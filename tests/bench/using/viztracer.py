"""Its tracer, with a buffer of a thousand entries."""

# /// script
# dependencies = ["viztracer"]
# [tool.libraries]
# kind = "tracing"
# ///

from using.pair import pair
from viztracer import VizTracer

tracer = VizTracer(tracer_entries=1000, verbose=0)
tracer.start()

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
