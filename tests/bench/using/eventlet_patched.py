"""Threads that are greenlets: the check refuses them."""

# /// script
# dependencies = ["eventlet"]
# [tool.libraries]
# kind = "patching"
# refused = "is patched by eventlet"
# ///

import eventlet

eventlet.monkey_patch()
from using.pair import pair  # noqa: E402 - patched first, as one does

leak, clean = pair(bytes)
