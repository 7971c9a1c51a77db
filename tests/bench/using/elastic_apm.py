"""Transactions to a server that is down."""

# /// script
# dependencies = ["elastic-apm[flask]"]
# [tool.libraries]
# kind = "patching, threads"
# ///

import elasticapm
from using.pair import pair

client = elasticapm.Client(
    server_url="http://127.0.0.1:9", service_name="using", log_level="off", cloud_provider="none"
)
elasticapm.instrument()


def work(number):
    client.begin_transaction("request")
    with elasticapm.capture_span("work", labels={"text": f"{number:04}" * 200}):
        found = [f"{number} {place}" for place in range(50)]
    client.end_transaction("work", "ok")
    return found


leak, clean = pair(work)
