"""Proxies that work out what they stand for when they are first asked."""

# /// script
# dependencies = ["lazy-object-proxy"]
# [tool.libraries]
# kind = "proxies"
# ///

import lazy_object_proxy
from using.pair import pair


def work(number):
    proxy = lazy_object_proxy.Proxy(lambda: [f"{number} {place}" for place in range(50)])
    len(proxy)
    return proxy


leak, clean = pair(work)
