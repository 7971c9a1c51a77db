"""Counts to a port of this machine where nobody listens."""

# /// script
# dependencies = ["datadog"]
# [tool.libraries]
# kind = "at-fork hook, threads"
# ///

from datadog.dogstatsd import DogStatsd
from using.pair import pair

client = DogStatsd(host="127.0.0.1", port=9, disable_background_sender=False)


def work(number):
    client.increment("jobs")
    return [f"{number} {place}" for place in range(50)]


leak, clean = pair(work)
