"""Errors and traces to a server that is down."""

# /// script
# dependencies = ["sentry-sdk[flask]"]
# [tool.libraries]
# kind = "patching, threads"
# ///

import sentry_sdk
from using.pair import pair

sentry_sdk.init("http://key@127.0.0.1:9/1", traces_sample_rate=1.0, profiles_sample_rate=1.0)


def work(number):
    with sentry_sdk.start_span(op="work", name=f"{number:04}" * 800) as span:
        sentry_sdk.add_breadcrumb(message=f"job {number}")
        return span


leak, clean = pair(work)
