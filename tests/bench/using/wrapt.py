"""Every answer behind a proxy that says it is what it wraps."""

# /// script
# dependencies = ["wrapt"]
# [tool.libraries]
# kind = "proxies"
# ///

import wrapt
from using.pair import pair


class Picture:
    def __init__(self):
        self.data = bytes(3000)


leak, clean = pair(lambda _: wrapt.ObjectProxy(Picture()))
