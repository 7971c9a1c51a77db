"""A profile of every request."""

# /// script
# dependencies = ["pyinstrument"]
# [tool.libraries]
# kind = "tracing"
# ///

from pyinstrument import Profiler
from using.pair import pair


def work(number):
    profiler = Profiler(async_mode="disabled")
    with profiler:
        return [f"{number} {place}" for place in range(50)]


leak, clean = pair(work)
