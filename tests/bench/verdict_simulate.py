"""The check on simulated servers: how often its verdict is wrong, and after how many jobs it is sure.

It is the check itself, phase by phase, from the warm-up to the challenge; the server, its load and its clock are
simulated.

    python tests/bench/verdict_simulate.py --runs 100000
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from simulated_server import GRID, Rng, Server, Simulated, Store

from labserver.diagnosis.measure.check import measure
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.diagnosis.result import CheckResult
from labserver.diagnosis.verdict import Verdict
from labserver.heap.heap_growth import Removal

NOISE_FILE = Path(__file__).with_name("verdict_noise.json")
WARM_UP = 250
_BATCH = 250


def noise(rng: Rng, n: int, table: dict[str, dict]) -> np.ndarray:
    """Residuals of floors as those of one of the measured servers, by the inverse of its distribution."""
    quantiles = table[rng.choice(sorted(table))]["quantiles"]
    return np.interp(rng.random(n), np.linspace(0, 1, len(quantiles)), quantiles)


def background(rng: Rng, table: dict[str, dict], *stores: Store) -> Server:
    """What every server has: noise, the warm-up's tail, a table that doubles, an import that comes late."""
    trend = 2e7 + rng.uniform(0, 15_000) * (1 - np.exp(-GRID / rng.uniform(50, 300)))
    # What grows for ever in a clean server is much less than the tolerance; most grows for its first jobs alone.
    trend += rng.uniform(0, 40) * GRID
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        trend += (rng.uniform(0, 1000) <= GRID) * 10 ** rng.uniform(3, 5.5)
    quantiles = table[rng.choice(sorted(table))]["quantiles"]
    at, scale = np.linspace(0, 1, len(quantiles)), rng.choice([1, 1, 1, 2, 4])
    late = rng.random() < 0.1  # garbage that is collected late, a response under way

    def drawn() -> float:
        beside = rng.exponential(20_000) if late and rng.random() < 0.2 else 0.0
        return float(scale * np.interp(rng.random(), at, quantiles) + beside)

    return Server(trend, drawn, stores, 10 ** rng.uniform(2.3, 3.2))


def cache(rng: Rng, jobs: np.ndarray, keys: float, use: float) -> np.ndarray:
    """Entries gained by a cache of random keys, which `use` of the jobs ask."""
    filled = keys * (1 - np.exp(-use * WARM_UP / keys))
    start, entries = filled, [0.0]
    for length in np.diff(jobs):
        filled += min(rng.binomial(length, use * max(1 - (filled + use * length / 2) / keys, 0.0)), keys - filled)
        entries.append(filled - start)
    return np.array(entries)


def seen(rng: Rng, *, runs: bool = False) -> Removal:
    """Code that lets go of items, mostly to be seen."""
    return Removal(seen=rng.random() < 0.8, by="Store.drop (shop/store.py:41)", runs=runs)


def code(rng: Rng) -> Removal:
    """The code around what never lets go: mostly without a line that could, often with one that does not."""
    return rng.choice([Removal(seen=True), Removal(seen=True), seen(rng), Removal(seen=False)])


def idle(rng: Rng, table: dict) -> Server:
    return background(rng, table)


def filling(rng: Rng, table: dict, tau: float | None = None) -> Server:
    """An undeclared cache of random keys with a time constant from 30 to 5,000 jobs."""
    tau = tau or 10 ** rng.uniform(1.5, 3.7)
    use = rng.choice([1.0, 1.0, 1.0, rng.uniform(0.2, 1)])
    return background(rng, table, Store(cache(rng, GRID, tau * use, use), 10 ** rng.uniform(2, 4.5), removal=code(rng)))


def seldom(rng: Rng, table: dict) -> Server:
    """A cache of random keys that 1 to 5 % of the jobs use: its first items come as those of a rare leak do."""
    use, tau = rng.uniform(0.01, 0.05), 10 ** rng.uniform(1.5, 3.7)
    return background(rng, table, Store(cache(rng, GRID, tau * use, use), 10 ** rng.uniform(2, 4.5), removal=code(rng)))


def slow(rng: Rng, table: dict) -> Server:
    """The same with 3,000."""
    return filling(rng, table, 3000.0)


def steps(rng: Rng, table: dict) -> Server:
    """Up to two high steps."""
    server = background(rng, table)
    for _ in range(rng.integers(1, 3)):
        server = replace(server, trend=server.trend + (rng.uniform(0, 500) <= GRID) * 10 ** rng.uniform(4, 6.5))
    return server


def scatter(rng: Rng, table: dict) -> Server:
    """Results that live a while without a holder, of which a floor sees some."""
    server, height = background(rng, table), 10 ** rng.uniform(4, 5)
    return replace(server, noise=lambda: server.noise() + height * rng.random())


def unique(rng: Rng, table: dict) -> Server:
    """A cache of keys that never repeat, with a bound from 300 to 20,000 entries, which is kept in one of four ways."""
    each, bound = int(rng.choice([1, 2, 10])), int(10 ** rng.uniform(np.log10(300), np.log10(20_000)))
    begun = rng.choice([WARM_UP * each, int(rng.uniform(0, 2) * bound)])
    came = begun + each * GRID.astype(float)
    part = rng.choice([0.0, 0.0, 1 / 3, 1.0])  # evicted one by one, by a third, or all at once

    def gone(came: int, _seconds: float) -> int:
        over = max(came - bound, 0)
        step = max(int(part * bound), 1)
        return -(-over // step) * step

    size = 10 ** rng.uniform(2, 4)
    told = bound if rng.random() < 0.9 else None
    return background(rng, table, Store(came, size, gone, told, seen(rng)))


def swept(rng: Rng, table: dict) -> Server:
    """What is emptied, or swept by age, every half to sixty seconds."""
    every, share, size = 10 ** rng.uniform(-0.3, np.log10(60)), rng.choice([0.2, 1.0, 1.0]), 10 ** rng.uniform(2, 4)
    phase, seen_at, before, emptied = rng.uniform(0, every), 0.0, 0, 0
    came = np.concatenate([[0], np.cumsum(rng.binomial(np.diff(GRID), share))]) + 1.0

    def gone(came: int, seconds: float) -> int:
        nonlocal seen_at, before, emptied
        last = (seconds + phase) // every * every - phase
        if last > seen_at:
            emptied = before + int((came - before) * (last - seen_at) / (seconds - seen_at))
        seen_at, before = seconds, came
        return emptied

    return background(rng, table, Store(came, size, gone, removal=seen(rng, runs=rng.random() < 0.9)))


def refilled(rng: Rng, table: dict) -> Server:
    """Native memory that is filled, and freed all at once, every 300 to 6,000 jobs: nobody can count it."""
    every, server = rng.uniform(300, 6000), background(rng, table)
    return replace(server, trend=server.trend + 10 ** rng.uniform(2.8, 4) * ((GRID + rng.uniform(0, every)) % every))


def _leak(rng: Rng, table: dict, gained: np.ndarray, each: float) -> Server:
    sizes = np.concatenate([[0], np.diff(gained) * each])
    spread = rng.choice([0.0, 0.0, 0.3])
    scatter = spread * each * np.sqrt(np.maximum(np.diff(gained, prepend=0), 0)) * rng.standard_normal(len(GRID))
    beside = np.cumsum(sizes + scatter) - gained * each
    server = background(rng, table, Store(gained, each, removal=code(rng)))
    return replace(server, trend=server.trend + beside)


def _rate(rng: Rng) -> float:
    return 10 ** rng.uniform(np.log10(512), 5.3)


def constant(rng: Rng, table: dict) -> Server:
    """So many items a job."""
    each = rng.choice([1, 1, 1, 2, 5])
    return _leak(rng, table, each * GRID.astype(float), _rate(rng) / each)


def uncounted(rng: Rng, table: dict) -> Server:
    """The same without a holder: native memory, references from C code."""
    server = constant(rng, table)
    return replace(server, stores=tuple(replace(store, visible=False) for store in server.stores))


def half(rng: Rng, table: dict) -> Server:
    """Half of the jobs or more, at random."""
    share = rng.uniform(0.5, 1)
    return _leak(rng, table, _at_random(rng, share), _rate(rng) / share)


def some(rng: Rng, table: dict) -> Server:
    """From 2 to 50 % of the jobs, at random."""
    share = rng.uniform(0.02, 0.5)
    return _leak(rng, table, _at_random(rng, share), _rate(rng) / share)


def rare(rng: Rng, table: dict) -> Server:
    """One job in a hundred keeps 15 kB: 150 B/job."""
    return _leak(rng, table, _at_random(rng, 0.01), 15_000)


def late(rng: Rng, table: dict) -> Server:
    """From the 200th to 300th measured job on."""
    return _leak(rng, table, np.maximum(GRID - rng.integers(200, 301), 0).astype(float), _rate(rng))


def bursts(rng: Rng, table: dict) -> Server:
    """Twenty to two hundred jobs' worth at once."""
    every = rng.integers(20, 200)
    gained = np.floor((GRID + rng.integers(every)) / every)
    return _leak(rng, table, gained - gained[0], _rate(rng) * every)


def beside(rng: Rng, table: dict) -> Server:
    """A leak beside a bounded cache, or beside what is swept."""
    leaky, other = constant(rng, table), rng.choice([unique, swept])(rng, table)
    return replace(leaky, stores=(*leaky.stores, *other.stores))


def _at_random(rng: Rng, share: float) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(rng.binomial(np.diff(GRID), share))])


Make = Callable[[Rng, dict], Server]
_CLEAN = (idle, filling, slow, steps, scatter, unique, swept, refilled, seldom)
_LEAKY = (constant, uncounted, half, some, late, bursts, beside)
CLEAN: dict[str, Make] = {make.__name__: make for make in _CLEAN}
LEAKY: dict[str, Make] = {make.__name__: make for make in _LEAKY}
BELOW: dict[str, Make] = {"rare": rare}
KINDS = CLEAN | LEAKY | BELOW


def check(server: Server, options: MeasureOptions = MeasureOptions()) -> CheckResult:  # noqa: B008 - frozen
    """Check a simulated server as a real one is checked."""
    simulated = Simulated(server)
    return measure(options, simulated, simulated, name="simulated")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of the runs of one kind."""

    kind: str
    runs: int
    verdicts: Counter
    jobs: list[int]
    seconds: list[float]


def one(kind: str, seed: int, number: int, table: dict, options: MeasureOptions) -> CheckResult:
    """One run of a kind, which is always the same."""
    return check(KINDS[kind](np.random.default_rng([seed, number, *kind.encode()]), table), options)


def _batch(kind: str, seed: int, numbers: range, options: MeasureOptions) -> list[tuple[Verdict, int, float]]:
    table = json.loads(NOISE_FILE.read_text(encoding="utf-8"))
    results = (one(kind, seed, number, table, options) for number in numbers)
    return [(result.verdict, result.jobs, result.seconds) for result in results]


def simulate(kinds: dict[str, Make], runs: int, seed: int, options: MeasureOptions, workers: int = 1) -> list[Row]:
    """Run each kind equally often."""
    each = runs // len(kinds)
    batches = [(kind, range(at, min(at + _BATCH, each))) for kind in kinds for at in range(0, each, _BATCH)]
    arguments = (
        [kind for kind, _ in batches],
        [seed] * len(batches),
        [n for _, n in batches],
        [options] * len(batches),
    )
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            done = list(pool.map(_batch, *arguments))
    else:
        done = list(map(_batch, *arguments))
    rows = []
    for kind in kinds:
        found = [one for (name, _), results in zip(batches, done, strict=True) if name == kind for one in results]
        verdicts, jobs, seconds = zip(*found, strict=True)
        rows.append(Row(kind, len(found), Counter(verdicts), list(jobs), list(seconds)))
    return rows


def table_of(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| kind | runs | LEAK | NO LEAK | undecided | jobs, mean | jobs, p95 | s, mean | s, p95 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = " | ".join(f"{row.verdicts[v] / row.runs:.3%} ({row.verdicts[v]:,})" for v in Verdict)
        jobs = f"{np.mean(row.jobs):.0f} | {np.percentile(row.jobs, 95):.0f}"
        seconds = f"{np.mean(row.seconds):.0f} | {np.percentile(row.seconds, 95):.0f}"
        lines.append(f"| {row.kind} | {row.runs:,} | {shares} | {jobs} | {seconds} |")
    return "\n".join(lines)


@click.command()
@click.option("--runs", default=10_000, show_default=True, help="Of clean, and as many of leaky servers.")
@click.option("--seed", default=0, show_default=True)
@click.option("--fast", is_flag=True, help="As `labserver check --fast`.")
@click.option("--workers", default=2, show_default=True, help="Processes.")
@click.option("--only", multiple=True, type=click.Choice(sorted(KINDS)), help="These kinds alone.")
def main(runs: int, seed: int, fast: bool, workers: int, only: tuple[str, ...]) -> None:
    """Print how often a check is right on simulated servers."""
    began, options = time.monotonic(), MeasureOptions(fast=fast)
    for kinds, count in ((CLEAN, runs), (LEAKY, runs), (BELOW, max(runs // 20, 1))):
        wanted = {name: make for name, make in kinds.items() if not only or name in only}
        if wanted:
            print(table_of(simulate(wanted, count, seed, options, workers)) + "\n", flush=True)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
