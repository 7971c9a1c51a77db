"""Its profiler too, which wraps every lock."""

# /// script
# dependencies = ["ddtrace"]
# [tool.libraries]
# kind = "patching, C threads, at-fork hook"
# ///

import os

os.environ["DD_TRACE_AGENT_URL"] = "http://127.0.0.1:9"
import ddtrace.profiling.auto
from using.ddtrace import clean, leak

__all__ = ["clean", "ddtrace", "leak"]
