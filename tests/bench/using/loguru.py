"""Its logger with a queue and a thread that writes."""

# /// script
# dependencies = ["loguru"]
# [tool.libraries]
# kind = "threads, at-fork hook"
# ///

from pathlib import Path

from loguru import logger
from using.pair import pair

logger.remove()
logger.add(Path("/dev/null"), enqueue=True)


def work(number):
    logger.info("job {}", number)
    return logger.bind(number=number, places=[f"{number} {place}" for place in range(50)])


leak, clean = pair(work)
