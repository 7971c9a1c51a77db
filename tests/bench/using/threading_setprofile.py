"""A profile function in every thread."""

# /// script
# dependencies = []
# [tool.libraries]
# kind = "tracing"
# ///

import sys
import threading
from collections import Counter

from using.pair import pair

calls = Counter()


def profile(_, event, __):
    calls[event] += 1


threading.setprofile(profile)
sys.setprofile(profile)

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
