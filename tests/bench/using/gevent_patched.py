"""Threads that are greenlets: the check refuses them."""

# /// script
# dependencies = ["gevent"]
# [tool.libraries]
# kind = "patching"
# refused = "is patched by gevent"
# ///

from gevent import monkey

monkey.patch_all()
from using.pair import pair  # noqa: E402 - patched first, as one does

leak, clean = pair(bytes)
