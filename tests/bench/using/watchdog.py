"""An observer of a directory that changes with every job."""

# /// script
# dependencies = ["watchdog"]
# [tool.libraries]
# kind = "threads"
# ///

import tempfile
from pathlib import Path

from using.pair import pair
from watchdog.events import FileModifiedEvent, FileSystemEventHandler
from watchdog.observers import Observer

directory = tempfile.TemporaryDirectory()
observer = Observer()
observer.schedule(FileSystemEventHandler(), directory.name)
observer.start()


def work(number):
    Path(directory.name, "job").write_text(str(number), encoding="utf-8")
    return [FileModifiedEvent(f"{directory.name}/{number}/{place}") for place in range(20)]


leak, clean = pair(work)
