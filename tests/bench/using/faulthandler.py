"""Stacks written again and again by its watchdog."""

# /// script
# dependencies = []
# [tool.libraries]
# kind = "C thread, signal handlers"
# ///

import faulthandler
import signal
from pathlib import Path

from using.pair import pair

nowhere = Path("/dev/null").open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lasts
faulthandler.enable(nowhere)
faulthandler.register(signal.SIGUSR1, nowhere, all_threads=True, chain=True)
faulthandler.dump_traceback_later(0.5, repeat=True, file=nowhere)

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
