"""An unpacker that is fed half a message."""

# /// script
# dependencies = ["msgpack"]
# [tool.libraries]
# kind = "compiled extension"
# ///

import msgpack
from using.pair import pair


def work(number):
    packed = msgpack.packb([f"{number} {place}" for place in range(50)])
    return msgpack.unpackb(packed), msgpack.Timestamp(number)


leak, clean = pair(work)
