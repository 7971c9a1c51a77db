"""A scheduler that runs every job once."""

# /// script
# dependencies = ["apscheduler"]
# [tool.libraries]
# kind = "threads"
# ///

import threading

from apscheduler.schedulers.background import BackgroundScheduler
from using.pair import pair

scheduler = BackgroundScheduler(timezone="UTC")
scheduler.start()
scheduler.add_job(int, "interval", seconds=1)


def work(_):
    done = threading.Event()
    job = scheduler.add_job(lambda _: done.set(), args=[bytes(3000)], misfire_grace_time=60)
    done.wait(10)
    return job


leak, clean = pair(work)
