"""What a heap file takes: bytes and time to write and to read, and the memory of the child that writes it.

    python tests/bench/heap_file.py [--objects 200000 1000000] [--runs 3] [--with-names]

CPU seconds of `save` are the child's, the fork's page copies included; those of `show` are of a process of its own,
imports included.
"""

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from heap_graph import build

from labserver.heap.file.saving import save_heap

SHOW = "import sys; from labserver.cli import main; sys.exit(main(sys.argv[1:]))"


def most_private_bytes(done):
    """The most private memory that a child of this process has until it is done."""
    most = 0
    while not done.wait(0.02):
        for child in psutil.Process().children():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{child.pid}/smaps_rollup").read_text().splitlines()
                most = max(most, 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_")))
    return most


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def save(path, **options):
    before, began = children_cpu(), time.perf_counter()
    with path.open("wb") as file:
        saved = save_heap(file, **options)
    return saved, children_cpu() - before, time.perf_counter() - began


def memory(path, **options):
    found, done = [], threading.Event()
    watcher = threading.Thread(target=lambda: found.append(most_private_bytes(done)))
    watcher.start()
    save(path, **options)
    done.set()
    watcher.join()
    return found[0]


def show(path, *options):
    before = children_cpu()
    subprocess.run([sys.executable, "-c", SHOW, "heap", "show", str(path), *options], check=True, capture_output=True)
    return children_cpu() - before


def measure(objects, runs, folder, **options):
    shop = build(objects)
    path = folder / "bench.heap"
    saves = [save(path, **options) for _ in range(runs)]
    saved = saves[0][0]
    n, extra = saved.objects, memory(path, **options)
    del shop
    shows = [show(path) for _ in range(runs)]
    paths = [show(path, "--path", "Order") for _ in range(runs)]
    pages = [show(path, "--html", str(folder / "bench.html")) for _ in range(runs)]
    middle = statistics.median
    print(f"{n:,} objects, {saved.references:,} references: {saved.file_bytes / n:.2f} bytes an object in the file")
    print(
        f"save: CPU {middle(cpu for _, cpu, _ in saves):.2f} s, wall {middle(wall for *_, wall in saves):.2f} s, ",
        end="",
    )
    print(f"child {extra / n:.0f} bytes an object")
    print(f"show: CPU {middle(shows):.2f} s; --path {middle(paths):.2f} s; --html {middle(pages):.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--with-names", action="store_true")
    options = parser.parse_args()
    for objects in options.objects:
        pid = os.fork()  # a heap of its own for each size
        if pid == 0:
            with tempfile.TemporaryDirectory() as folder:
                measure(objects, options.runs, Path(folder), with_names=options.with_names)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
