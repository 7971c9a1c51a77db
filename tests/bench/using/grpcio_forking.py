"""The same, with its support for forks asked for."""

# /// script
# dependencies = ["grpcio"]
# [tool.libraries]
# kind = "C threads, C at-fork handlers"
# ///

import os

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "1"

from using.grpcio import clean, leak

__all__ = ["clean", "leak"]
