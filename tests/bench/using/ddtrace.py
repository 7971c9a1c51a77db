"""Everything traced, for an agent that is down."""

# /// script
# dependencies = ["ddtrace"]
# [tool.libraries]
# kind = "patching, C threads, at-fork hook"
# ///

import os

os.environ["DD_TRACE_AGENT_URL"] = "http://127.0.0.1:9"
os.environ["DD_TRACE_LOG_FILE_LEVEL"] = os.environ["DD_TRACE_LOG_LEVEL"] = "CRITICAL"
import ddtrace.auto  # noqa: F401 - patches whatever it knows
from ddtrace.trace import tracer
from using.pair import pair


def work(number):
    with tracer.trace("work") as span:
        span.set_tag("text", f"{number:04}" * 800)
        return span


leak, clean = pair(work)
