"""The agent in developer mode, which sends nothing."""

# /// script
# dependencies = ["newrelic"]
# [tool.libraries]
# kind = "patching, threads"
# ///

import os

settings = {
    "DEVELOPER_MODE": "true",
    "HOST": "127.0.0.1",
    "LICENSE_KEY": "0" * 40,
    "APP_NAME": "using",
    "LOG_LEVEL": "critical",
}
os.environ |= {f"NEW_RELIC_{name}": value for name, value in settings.items()}
import newrelic.agent  # noqa: E402 - reads its settings when imported

newrelic.agent.initialize()
newrelic.agent.register_application(timeout=10)
from using import pair  # noqa: E402 - takes Flask as it is patched


@newrelic.agent.function_trace()
def work(number):
    newrelic.agent.add_custom_attribute("number", number)
    return [f"{number} {place}" for place in range(50)]


leak, clean = map(newrelic.agent.WSGIApplicationWrapper, pair.pair(work))
