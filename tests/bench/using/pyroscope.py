"""Its profiler, for a server that is down."""

# /// script
# dependencies = ["pyroscope-io"]
# [tool.libraries]
# kind = "C threads, samples stacks"
# ///

import pyroscope
from using.pair import pair

pyroscope.configure(application_name="using", server_address="http://127.0.0.1:9")
leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
