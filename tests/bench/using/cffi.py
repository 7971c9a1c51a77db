"""Buffers that it owns."""

# /// script
# dependencies = ["cffi"]
# [tool.libraries]
# kind = "memory of C"
# ///

from cffi import FFI
from using.pair import pair

ffi = FFI()
leak, clean = pair(lambda _: ffi.new("char[3000]"))
