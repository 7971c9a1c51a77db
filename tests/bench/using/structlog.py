"""A bound logger, lazily made."""

# /// script
# dependencies = ["structlog"]
# [tool.libraries]
# kind = "proxies"
# ///

import io

import structlog
from using.pair import pair

structlog.configure(logger_factory=structlog.WriteLoggerFactory(io.StringIO()), cache_logger_on_first_use=True)
logger = structlog.get_logger()


def work(number):
    bound = logger.bind(number=number, places=[f"{number} {place}" for place in range(50)])
    with structlog.contextvars.bound_contextvars(number=number):
        structlog.contextvars.get_contextvars()
    return bound


leak, clean = pair(work)
