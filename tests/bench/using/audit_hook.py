"""A hook that hears of every audited event."""

# /// script
# dependencies = []
# [tool.libraries]
# kind = "tracing"
# ///

import sys
from collections import Counter

from using.pair import pair

events = Counter()


def hear(event, _):
    events[event] += 1


sys.addaudithook(hear)

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
