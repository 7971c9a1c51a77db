"""Files in memory, and an instance cache that a fork clears."""

# /// script
# dependencies = ["fsspec"]
# [tool.libraries]
# kind = "threads, at-fork hook"
# ///

import fsspec
from fsspec.asyn import get_loop
from using.pair import pair

get_loop()
memory = fsspec.filesystem("memory")


def work(number):
    file = memory.open(f"/{number}", "wb")
    file.write(bytes(3000))
    memory.rm(f"/{number}") if memory.exists(f"/{number}") else None
    return file


leak, clean = pair(work)
