"""A debugger's server that waits for a client."""

# /// script
# dependencies = ["debugpy"]
# [tool.libraries]
# kind = "tracing, processes"
# ///

import debugpy  # noqa: T100 - it is what is tried

debugpy.listen(("127.0.0.1", 0))  # noqa: T100
from using.pair import pair  # noqa: E402 - runs under the debugger

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
