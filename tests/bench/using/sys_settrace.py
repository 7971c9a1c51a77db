"""A trace function in every thread."""

# /// script
# dependencies = []
# [tool.libraries]
# kind = "tracing"
# ///

import sys
import threading
from collections import Counter

from using.pair import pair

lines = Counter()


def trace(_, event, __):
    lines[event] += 1
    return trace


threading.settrace(trace)
sys.settrace(trace)

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
