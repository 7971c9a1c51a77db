"""What a look at the whole heap costs, beside the tools that look at heaps too; all of it in one run.

    python tests/bench/heap_graph.py [--objects 200000 1000000] [--runs 5]
    python tests/bench/heap_graph.py --robustness [--looks 200]
    python tests/bench/heap_graph.py --items 5000 [--objects 1000000]

Every tool answers in forked children of the process that has the heap: the chains to 20 buffers by name, and retained
sizes (of 5 objects; labserver gives those of all). CPU seconds are the child's, the fork's page copies included.
"""

import argparse
import contextlib
import gc
import json
import os
import statistics
import sys
import threading
import time
import types
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import objgraph
import psutil

from labserver.diagnosis.holders.find import find_growth
from labserver.diagnosis.holders.snapshot import snapshot_of
from labserver.diagnosis.holders.survival import Memory
from labserver.heap.chains import chain_to
from labserver.heap.fork import in_fork
from labserver.heap.graph import heap_graph

with contextlib.suppress(ImportError):
    import guppy
    import pympler.asizeof
    import pympler.muppy
    import pympler.summary

BUFFERS, SIZES = 20, 5


class Order:
    """An instance with a dictionary; refers to its lines, which refer back."""

    def __init__(self, number):
        self.id = f"order-{number}"
        self.state = "done"
        self.image = bytes(20 + number % 50)
        self.meta = {"user": number, "name": f"user {number}", "tags": ("new", number)}
        self.lines = [Line(self, number, place) for place in range(2)]


class Line:
    """An instance without a dictionary."""

    __slots__ = ("order", "price", "sku")

    def __init__(self, order, number, place):
        self.order, self.sku, self.price = order, f"sku-{number}-{place}", number * 1.5


def build(objects):
    """A module `shop` with a store of orders: about as many objects in all as asked for."""
    shop = types.ModuleType("shop")
    sys.modules["shop"] = shop
    shop.STORE = {}
    for number in range(objects // 16):
        shop.STORE[number] = Order(number)
        if number % 4 == 0:
            vars(shop.STORE[number])  # half of all programs ask for it at some time
    gc.collect()
    return shop


def asked(shop):
    """The buffers whose chains are asked for, and the objects whose sizes are."""
    step = len(shop.STORE) // BUFFERS
    orders = [shop.STORE[number * step] for number in range(BUFFERS)]
    return [order.image for order in orders], [shop.STORE, *orders[: SIZES - 1]]


def ours(shop):
    with heap_graph() as graph:
        sizes, parents = graph.retained_sizes(), graph.parents()
        buffers, owners = asked(shop)
        chains = [chain_to(graph, graph.find(buffer), parents).path for buffer in buffers]
        return {"chains": chains, "sizes": [int(sizes[graph.find(owner)]) for owner in owners], "n": len(graph.objects)}


def guppys(shop):
    buffers, owners = asked(shop)
    heapy = guppy.hpy()
    paths = heapy.iso(*buffers).shpaths
    chains = [str(paths[number]) for number in range(BUFFERS)]
    return {"chains": chains, "sizes": [heapy.iso(owner).domisize for owner in owners]}


def objgraphs(shop):
    buffers, _ = asked(shop)
    found = [objgraph.find_backref_chain(buffer, objgraph.is_proper_module) for buffer in buffers]
    return {"chains": [str([type(link).__name__ for link in chain]) for chain in found], "sizes": []}


def pymplers(shop):
    _, owners = asked(shop)
    objects = pympler.muppy.get_objects()
    pympler.summary.summarize(objects)
    return {"chains": [], "sizes": [pympler.asizeof.asizeof(owner) for owner in owners]}


def measured(work, shop):
    """The work's answer, done in a fork, and what it cost there."""

    def timed(_roots):
        answer = work(shop)
        answer["cpu_s"] = time.process_time()
        return answer

    return in_fork(timed, within_s=3600)


def extra_bytes(work, shop):
    """The most private memory that the child had."""
    most, done = 0, threading.Event()

    def watch():
        nonlocal most
        while not done.wait(0.01):
            for child in psutil.Process().children():
                with contextlib.suppress(OSError):
                    lines = Path(f"/proc/{child.pid}/smaps_rollup").read_text().splitlines()
                    private = sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
                    most = max(most, private * 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    measured(work, shop)
    done.set()
    watcher.join()
    return most


def stalls(work, shop, runs):
    """The longest time that a busy thread of the parent stood still, for each look, and while nothing happened; s."""
    leave, gap, found = threading.Event(), [0.0], []

    def spin():
        clock, last = time.perf_counter, time.perf_counter()
        while not leave.is_set():
            now = clock()
            gap[0] = max(gap[0], now - last)
            last = now

    thread = threading.Thread(target=spin)
    thread.start()
    time.sleep(1)
    gap[0] = 0.0
    time.sleep(1)
    idle = gap[0]
    for _ in range(runs):
        gap[0] = 0.0
        measured(work, shop)
        found.append(gap[0])
    leave.set()
    thread.join()
    return found, idle


def compare(objects, runs, *, only_ours):
    shop = build(objects)
    tools = {"labserver": ours}
    if not only_ours:
        tools |= {"guppy3": guppys} if "guppy" in sys.modules else {}
        tools |= {"objgraph": objgraphs}
        tools |= {"pympler": pymplers} if "pympler" in sys.modules else {}
    cpu = {name: [] for name in tools}
    for run in range(runs):
        for name, work in tools.items():
            if name in ("labserver", "guppy3") or run == 0:
                answer = measured(work, shop)
                cpu[name].append(answer["cpu_s"])
                if name == "labserver":
                    n = answer["n"]
    print(f"\n{n:,} objects", f"resident {psutil.Process().memory_info().rss / 1e6:,.0f} MB")
    print(f"{'tool':<12}{'CPU s (median, range)':<28}{'extra MB':>9}  CPU / labserver")
    base = statistics.median(cpu["labserver"])
    for name, work in tools.items():
        middle = statistics.median(cpu[name])
        extra = extra_bytes(work, shop) / 1e6 if name in ("labserver", "guppy3") else float("nan")
        spread = f"{middle:.2f} ({min(cpu[name]):.2f}-{max(cpu[name]):.2f})"
        print(f"{name:<12}{spread:<28}{extra:>9.0f}  {middle / base:.2f}")
    found, idle = stalls(ours, shop, runs)
    print(
        f"stall of a busy thread: median {statistics.median(found) * 1e3:.1f} ms, most {max(found) * 1e3:.1f} ms; ",
        end="",
    )
    print(f"without a look {idle * 1e3:.1f} ms")
    print(f"CPU per million objects: {base / n * 1e6:.2f} s")


class Handler(BaseHTTPRequestHandler):
    """Remembers the last requests."""

    recent = []  # noqa: RUF012 - what a service with a mistake looks like

    def do_GET(self):
        self.recent.append({"path": self.path, "body": bytes(1000)})
        del self.recent[:-50]
        body = json.dumps({"seen": len(self.recent)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Stay quiet."""


@contextlib.contextmanager
def busy_server(shop):
    """Threads that change dictionaries and lists, a server and its clients; yields the count of requests, in a list."""
    leave, requests = threading.Event(), [0]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def churn():
        number = 0
        while not leave.is_set():
            number += 1
            shop.SESSIONS[number % 1000] = [Order(number)]
            shop.SESSIONS.pop((number * 7) % 1000, None)

    def ask():
        while not leave.is_set():
            urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/").read()
            requests[0] += 1

    serving = threading.Thread(target=server.serve_forever, daemon=True)
    working = [threading.Thread(target=target) for target in (churn, churn, ask, ask)]
    for thread in (serving, *working):
        thread.start()
    yield requests
    leave.set()
    for thread in working:
        thread.join()
    server.shutdown()


def robustness(looks):
    """Look at a busy server again and again: the right holder each time, and nothing left of it."""
    shop = build(200_000)
    shop.LEAK, shop.SESSIONS = {}, {}

    def holder(roots):
        with heap_graph(roots) as graph:
            sizes, parents = graph.retained_sizes(), graph.parents()
            node = graph.find(next(iter(reversed(shop.LEAK.values()))))
            return {"path": chain_to(graph, node, parents).path, "bytes": int(sizes[graph.find(shop.LEAK)])}

    process, wrong = psutil.Process(), 0
    with busy_server(shop) as requests:
        for look in range(looks):
            shop.LEAK[f"job-{look}"] = bytes(100_000)
            found, leaked = in_fork(holder, within_s=120), (look + 1) * 100_000
            right = found["path"] == "module shop → LEAK → ['…'] → bytes"
            if not (right and leaked < found["bytes"] < leaked * 1.01 + 50_000):
                wrong += 1
                print("wrong:", found)
            if look == looks // 10:
                resident, descriptors = process.memory_info().rss - leaked, process.num_fds()
        grown = process.memory_info().rss - leaked - resident
        children = len(process.children())
        print(
            f"{looks} looks during {requests[0]:,} requests: {wrong} wrong holders, {children} children left, ", end=""
        )
        print(f"resident memory besides the leak {grown / 1e6:+.1f} MB, ", end="")
        print(f"descriptors {process.num_fds() - descriptors:+d}")
    return wrong == 0 and children == 0


def survival(objects, items, runs):
    """What a look costs that remembers which items a holder has, and how much of it that is; CPU seconds."""
    shop = build(objects)
    shop.KEPT = {}
    with heap_graph() as graph:
        before, n = snapshot_of(graph), len(graph.objects)
    memory, took, looked = Memory.at_baseline(), [], []
    for run in range(runs + 1):
        shop.KEPT.update({number: Order(number) for number in range(len(shop.KEPT), items * (run + 1) // (runs + 1))})
        begin = time.process_time()
        with heap_graph() as graph:
            found = find_growth(graph, before)
            places = [(holder.fingerprint, holder.item_places) for holder in found.holders]
            middle = time.process_time()
            memory = memory.after(graph, before, places)
        if run:
            took.append(time.process_time() - middle)
            looked.append(middle - begin)
        kept = max(memory.told_in(found.growth()).holders, key=lambda holder: sum(holder.cohorts))
    share = statistics.median(took) / statistics.median(looked)
    print(f"{n:,} objects, {items:,} items: a look {statistics.median(looked):.2f} s, ", end="")
    print(f"its memory {statistics.median(took) * 1e3:.0f} ms more ({share:.1%}); cohorts {kept.cohorts}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only-ours", action="store_true", help="leave the other tools out")
    parser.add_argument("--robustness", action="store_true")
    parser.add_argument("--looks", type=int, default=200)
    parser.add_argument("--items", type=int, help="measure what remembering so many items costs instead")
    options = parser.parse_args()
    if options.robustness:
        sys.exit(not robustness(options.looks))
    for objects in options.objects:
        pid = os.fork()  # a heap of its own for each size
        if pid == 0:
            if options.items:
                survival(objects, options.items, options.runs)
            else:
                compare(objects, options.runs, only_ours=options.only_ours)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
