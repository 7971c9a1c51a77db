"""Every kind of holder, and who finds it: labserver beside objgraph, guppy3 and pympler, over the table of the tests.

A peer that is not installed is left out. `found`: every planted object is reached from a root. `chain`: the path to it
is right; guppy3's is taken for right when it begins at the right module. `bytes`: what the holder would free, to 3 %.
"""

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS_DIR = Path(__file__).parents[1] / "unit" / "heap" / "kinds"
TOLERANCE = 0.03
PATIENCE_S = 10


@dataclass
class Row:
    """What one tool says of one kind; None where it has no answer of that sort."""

    found: bool | None
    chain: bool | None
    bytes: bool | None


def main() -> int:
    """Print the table and the totals."""
    sys.path.insert(0, str(KINDS_DIR))
    for name in ("plants_containers", "plants_code", "plants_native", "plants_runtime"):
        importlib.import_module(name)
    kinds = {name: kind for name, kind in importlib.import_module("planting").KINDS.items() if kind.paths}
    plants = []
    gc.collect()
    gc.disable()
    try:
        for kind in kinds.values():
            plants.append(importlib.import_module("planting").Plant(kind.name))
            kind.plant(plants[-1])
        table, holders = labserver(kinds, plants)
        peers: dict[str, Callable[..., dict[str, Row]]] = {"objgraph": objgraph, "guppy": guppy, "pympler": pympler}
        tables = {"labserver": table}
        for peer, ask in peers.items():
            if importlib.util.find_spec(peer) is not None:
                tables[peer] = ask(kinds, plants, holders)
        show(kinds, tables)
    finally:
        for plant in reversed(plants):
            plant.leaving.close()
    return 0


def labserver(kinds: dict[str, Any], plants: list[Any]) -> tuple[dict[str, Row], dict[str, int]]:
    """This project's answers, and the address of each kind's holder."""
    looking = importlib.import_module("looking")
    graph_module = importlib.import_module("labserver.heap.graph")
    with graph_module.heap_graph() as graph:
        seen = looking.look(graph, plants)
    rows = {
        plant.name: Row(
            seen[plant.name].found == len(plant.bytes_of),
            seen[plant.name].path in kinds[plant.name].paths,
            near(seen[plant.name].retained, plant.total),
        )
        for plant in plants
    }
    return rows, {name: one.holder for name, one in seen.items() if one.holder is not None}


def objgraph(kinds: dict[str, Any], plants: list[Any], _holders: dict[str, int]) -> dict[str, Row]:
    """Its shortest chain of back-references to one planted object, in the words that labserver names edges with."""
    chains = importlib.import_module("labserver.heap.chains")
    rows = {}
    for plant in plants:
        chain = None
        with patience(), contextlib.suppress(TimeoutError):
            chain = chains.objgraph_chain(at(next(iter(plant.bytes_of))), max_depth=12)
        path = None if chain is None else chain.trail.replace(plant.shop.__name__, "shop")
        rows[plant.name] = Row(chain is not None, path in kinds[plant.name].paths, None)
    return rows


def guppy(kinds: dict[str, Any], plants: list[Any], holders: dict[str, int]) -> dict[str, Row]:
    """Its shortest paths to all planted objects as one set, and the dominated size of their holder."""
    heap = importlib.import_module("guppy").hpy()
    rows = {}
    for plant in plants:
        path, size = "", None
        with patience(), contextlib.suppress(TimeoutError, Exception):
            path = str(heap.iso(*map(at, plant.bytes_of)).shpaths)
        with patience(), contextlib.suppress(TimeoutError, Exception):
            size = heap.iso(at(holders[plant.name])).domisize
        shops = any(name.startswith("module shop") for name in kinds[plant.name].paths)
        root = plant.shop.__name__ if shops else kinds[plant.name].paths[0].split(" → ")[0].rpartition(" ")[2]
        rows[plant.name] = Row(" 0: " in path, " 0: " in path and root in path, near(size, plant.total))
    return rows


def pympler(_kinds: dict[str, Any], plants: list[Any], holders: dict[str, int]) -> dict[str, Row]:
    """The size of the holder with all that it refers to; it names no paths."""
    asizeof = importlib.import_module("pympler.asizeof").asizeof
    rows = {}
    for plant in plants:
        size = None
        with patience(), contextlib.suppress(TimeoutError, Exception):
            size = asizeof(at(holders[plant.name]))
        rows[plant.name] = Row(None, None, near(size, plant.total))
    return rows


def show(kinds: dict[str, Any], tables: dict[str, dict[str, Row]]) -> None:
    """One line for each kind, and one for the totals."""
    print(f"{'kind':44}" + "".join(f"{tool:>22}" for tool in tables))
    print(f"{'':44}" + f"{'found chain bytes':>22}" * len(tables))
    for name in kinds:
        print(f"{name:44}" + "".join(f"{marks(table[name]):>22}" for table in tables.values()))
    columns = ("found", "chain", "bytes")
    totals = [[sum(bool(getattr(row, c)) for row in table.values()) for c in columns] for table in tables.values()]
    print(f"{f'{len(kinds)} kinds':44}" + "".join(f"{' / '.join(map(str, total)):>22}" for total in totals))


def marks(row: Row) -> str:
    """A row's three answers."""
    signs = {True: "yes", False: "no", None: "–"}
    return "  ".join(f"{signs[answer]:>5}" for answer in (row.found, row.chain, row.bytes))


def near(size: int | None, planted: int) -> bool:
    """Whether a size is right."""
    return size is not None and abs(size - planted) <= TOLERANCE * planted


def at(address: int) -> object:
    """The object at an address: the bench keeps no references, which would be holders."""
    return ctypes.cast(address, ctypes.py_object).value


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """End what a tool does after some seconds."""

    def end(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(PATIENCE_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    sys.exit(main())
