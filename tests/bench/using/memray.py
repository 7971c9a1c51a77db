"""Every allocation recorded."""

# /// script
# dependencies = ["memray"]
# [tool.libraries]
# kind = "patching of malloc"
# ///

import tempfile
from pathlib import Path

import memray
from using.pair import pair

directory = tempfile.TemporaryDirectory()
tracker = memray.Tracker(Path(directory.name, "record.bin"))
tracker.__enter__()

leak, clean = pair(lambda number: [f"{number} {place}" for place in range(50)])
