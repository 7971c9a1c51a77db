"""The decision of a check on simulated servers: how often it is wrong, and after how many jobs it is sure.

python tests/bench/verdict_simulate.py --runs 100000
"""

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from labserver.diagnosis.decide.decision import TIMING, Decision, decide
from labserver.diagnosis.decide.evidence import Evidence, Gain
from labserver.diagnosis.decide.rules import Rules
from labserver.diagnosis.verdict import Verdict

NOISE_FILE = Path(__file__).with_name("verdict_noise.json")
CYCLE, WARM_UP, MAX_JOBS, COUNT_EVERY = 50, 250, 4000, 4
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Server:
    """One simulated server.

    Attributes:
        floors: bytes at each floor, shape (n,).
        kept: items each holder has gained at each floor, shape (n,), and their size, by holder.
    """

    floors: np.ndarray
    kept: dict[str, tuple[np.ndarray, float]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The jobs of a check."""

    cycle: int = CYCLE
    max_jobs: int = MAX_JOBS

    @property
    def jobs(self) -> np.ndarray:
        return np.arange(0, self.max_jobs + 1, self.cycle)


FAST = Plan(25, 250)
FAST_RULES = Rules(tolerance=512.0, slowest_fill_jobs=1000.0)


def noise(rng: Rng, n: int, table: dict[str, dict]) -> np.ndarray:
    """Residuals of floors as those of one of the measured servers, by the inverse of its distribution."""
    quantiles = table[rng.choice(sorted(table))]["quantiles"]
    return np.interp(rng.random(n), np.linspace(0, 1, len(quantiles)), quantiles)


def background(rng: Rng, jobs: np.ndarray, table: dict[str, dict]) -> np.ndarray:
    """What every server has: noise, the warm-up's tail, a table that doubles, an import that comes late."""
    floors = 2e7 + noise(rng, len(jobs), table) * rng.choice([1, 1, 1, 2, 4])
    floors += rng.uniform(0, 15_000) * (1 - np.exp(-jobs / rng.uniform(50, 300)))
    floors += rng.uniform(0, 40) * jobs
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        floors += (jobs >= rng.uniform(0, 1000)) * 10 ** rng.uniform(3, 5.5)
    if rng.random() < 0.1:  # garbage that is collected late, a response under way
        floors += (rng.random(len(jobs)) < 0.2) * rng.exponential(20_000)
    return floors


def cache(rng: Rng, jobs: np.ndarray, keys: float, use: float) -> np.ndarray:
    """Entries gained by a cache of random keys, which `use` of the jobs ask."""
    filled = keys * (1 - np.exp(-use * WARM_UP / keys))
    start, entries = filled, [0.0]
    for length in np.diff(jobs):
        filled += min(rng.binomial(length, use * max(1 - (filled + use * length / 2) / keys, 0.0)), keys - filled)
        entries.append(filled - start)
    return np.array(entries)


def idle(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    return Server(background(rng, jobs, table), {})


def filling(rng: Rng, jobs: np.ndarray, table: dict, tau: float | None = None) -> Server:
    """An undeclared cache of random keys with a time constant from 30 to 5,000 jobs."""
    tau = tau or 10 ** rng.uniform(1.5, 3.7)
    use = rng.choice([1.0, 1.0, 1.0, rng.uniform(0.2, 1)])
    size = 10 ** rng.uniform(2, 4.5)
    entries = cache(rng, jobs, tau * use, use)
    return Server(background(rng, jobs, table) + entries * size, {"cache": (entries, size)})


def seldom(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """A cache of random keys that 1 to 5 % of the jobs use: its first items come as those of a rare leak do."""
    use, tau = rng.uniform(0.01, 0.05), 10 ** rng.uniform(1.5, 3.7)
    size = 10 ** rng.uniform(2, 4.5)
    entries = cache(rng, jobs, tau * use, use)
    return Server(background(rng, jobs, table) + entries * size, {"cache": (entries, size)})


def slow(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """The same with 3,000."""
    return filling(rng, jobs, table, 3000.0)


def steps(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """Up to two high steps."""
    floors = background(rng, jobs, table)
    for _ in range(rng.integers(1, 3)):
        floors += (jobs >= rng.uniform(0, 500)) * 10 ** rng.uniform(4, 6.5)
    return Server(floors, {})


def sawtooth(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """Results that live a while, of which a floor sees some."""
    height = 10 ** rng.uniform(4, 5)
    return Server(background(rng, jobs, table) + height * rng.random(len(jobs)), {})


def _leak(rng: Rng, jobs: np.ndarray, table: dict, gained: np.ndarray, each: float) -> Server:
    sizes = np.concatenate([[0], np.diff(gained) * each])
    spread = rng.choice([0.0, 0.0, 0.3])
    scatter = spread * each * np.sqrt(np.maximum(np.diff(gained, prepend=0), 0)) * rng.standard_normal(len(jobs))
    return Server(background(rng, jobs, table) + np.cumsum(sizes + scatter), {"store": (gained, each)})


def _rate(rng: Rng) -> float:
    return 10 ** rng.uniform(np.log10(512), 5.3)


def constant(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """So many items a job."""
    each = rng.choice([1, 1, 1, 2, 5])
    return _leak(rng, jobs, table, each * jobs.astype(float), _rate(rng) / each)


def uncounted(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """The same without a holder: native memory, references from C code."""
    return replace(constant(rng, jobs, table), kept={})


def half(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """Half of the jobs or more, at random."""
    share = rng.uniform(0.5, 1)
    gained = np.concatenate([[0], np.cumsum(rng.binomial(np.diff(jobs), share))])
    return _leak(rng, jobs, table, gained, _rate(rng) / share)


def some(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """From 2 to 50 % of the jobs, at random."""
    share = rng.uniform(0.02, 0.5)
    gained = np.concatenate([[0], np.cumsum(rng.binomial(np.diff(jobs), share))])
    return _leak(rng, jobs, table, gained, _rate(rng) / share)


def rare(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """One job in a hundred keeps 15 kB: 150 B/job."""
    gained = np.concatenate([[0], np.cumsum(rng.binomial(np.diff(jobs), 0.01))])
    return _leak(rng, jobs, table, gained, 15_000)


def late(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """From the 200th to 300th measured job on."""
    return _leak(rng, jobs, table, np.maximum(jobs - rng.integers(200, 301), 0).astype(float), _rate(rng))


def bursts(rng: Rng, jobs: np.ndarray, table: dict) -> Server:
    """Twenty to two hundred jobs' worth at once."""
    every = rng.integers(20, 200)
    gained = np.floor((jobs + rng.integers(every)) / every)
    return _leak(rng, jobs, table, gained - gained[0], _rate(rng) * every)


Make = Callable[[Rng, np.ndarray, dict], Server]
CLEAN: dict[str, Make] = {make.__name__: make for make in (idle, filling, slow, steps, sawtooth)}
LEAKY: dict[str, Make] = {make.__name__: make for make in (constant, uncounted, half, some, late, bursts)}
BELOW: dict[str, Make] = {"rare": rare}
ALIKE: dict[str, Make] = {"seldom": seldom}


def check(server: Server, plan: Plan = Plan(), rules: Rules = Rules()) -> tuple[Decision, int]:  # noqa: B008 - frozen
    """Look at a simulated server as `labserver check` looks at a real one; the decision and the jobs it took."""
    jobs, floors = plan.jobs.tolist(), server.floors.tolist()
    counted: list[int] = []
    for n in range(1, len(jobs) + 1):
        final = n == len(jobs)
        if n > 1 and (n - 1) % COUNT_EVERY == 0:
            counted.append(n - 1)
        if not TIMING.is_due(n, final=final):
            continue
        decision = decide(_evidence(server, jobs, floors, n, counted, final=final), rules)
        if decision.wants_counts:
            counted.append(n - 1)
            decision = decide(_evidence(server, jobs, floors, n, counted, final=final), rules)
        if decision.verdict is not Verdict.INCONCLUSIVE:
            break
    return decision, jobs[n - 1]


def _evidence(  # noqa: PLR0913 - the state of the loop above
    server: Server, jobs: list[int], floors: list[float], n: int, counted: list[int], *, final: bool
) -> Evidence:
    counted_at = jobs[counted[-1]] if counted else -1
    return Evidence(jobs[:n], floors[:n], _kept(server, counted, jobs), counted_at, final)


def _kept(server: Server, counted: list[int], jobs: list[int]) -> tuple[Gain, ...]:
    if not counted:
        return ()
    return tuple(
        Gain(path, tuple(jobs[i] for i in counted), tuple(int(gained[i]) for i in counted), size)
        for path, (gained, size) in server.kept.items()
        if gained[counted[-1]] > 0
    )


@dataclass(frozen=True, slots=True)
class Row:
    """What became of the runs of one kind."""

    kind: str
    runs: int
    verdicts: Counter
    jobs: list[int]


def simulate(kinds: dict[str, Make], runs: int, seed: int, plan: Plan, rules: Rules) -> list[Row]:
    """Run each kind equally often."""
    table = json.loads(NOISE_FILE.read_text(encoding="utf-8"))
    verdicts: dict[str, Counter] = defaultdict(Counter)
    jobs: dict[str, list[int]] = defaultdict(list)
    for kind, make in kinds.items():
        rng = np.random.default_rng([seed, *kind.encode()])
        for _ in range(runs // len(kinds)):
            decision, took = check(make(rng, plan.jobs, table), plan, rules)
            verdicts[kind][decision.verdict] += 1
            jobs[kind].append(took)
    return [Row(kind, len(jobs[kind]), verdicts[kind], jobs[kind]) for kind in kinds]


def table_of(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| kind | runs | LEAK | NO LEAK | undecided | jobs, mean | jobs, p95 |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        shares = " | ".join(f"{row.verdicts[v] / row.runs:.3%} ({row.verdicts[v]:,})" for v in Verdict)
        jobs = f"{np.mean(row.jobs):.0f} | {np.percentile(row.jobs, 95):.0f}"
        lines.append(f"| {row.kind} | {row.runs:,} | {shares} | {jobs} |")
    return "\n".join(lines)


@click.command()
@click.option("--runs", default=10_000, show_default=True, help="Of clean, and as many of leaky servers.")
@click.option("--seed", default=0, show_default=True)
@click.option("--fast", is_flag=True, help="Cycles of 25 jobs, 512 B/job.")
def main(runs: int, seed: int, fast: bool) -> None:
    """Print how often the decision of a check is right on simulated servers."""
    began = time.process_time()
    plan, rules = (FAST, FAST_RULES) if fast else (Plan(), Rules())
    for kinds, count in ((CLEAN, runs), (LEAKY, runs), (BELOW, max(runs // 20, 1)), (ALIKE, max(runs // 20, 1))):
        print(table_of(simulate(kinds, count, seed, plan, rules)) + "\n", flush=True)
    print(f"{time.process_time() - began:.0f} s of CPU", file=sys.stderr)


if __name__ == "__main__":
    main()
