"""How many jobs and floors a check can afford, from how quick the application is."""

from dataclasses import dataclass

from labserver.diagnosis.decide.decision import TIMING
from labserver.diagnosis.decide.rules import SLOWEST_FILL_JOBS, Rules
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.stats.floor_noise import FLOOR_NOISE

WARM_UP_JOBS, CYCLE_JOBS = 250, 50
FAST_WARM_UP_JOBS, FAST_CYCLE_JOBS, FAST_JOBS, FAST_TOLERANCE = 150, 25, 250, 512.0
FAST_FILL_JOBS = 1000.0
WARM_UP_SHARE = 0.3
_MEASURING_SHARE = 0.85
_FLOORS_THAT_FIT = 10
_FEWEST_FLOORS = 5
# Pages, not bytes: what a process without instruments shows.
PRIVATE_NOISE_BYTES = 2.0**18
MAPPED_NOISE_BYTES = 2.0**16
MAPPED_TOLERANCE = 1024.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The measured jobs.

    Attributes:
        cycle: jobs between two floors.
        jobs: measured jobs after which an undecided check ends.
        floors: floors after which it ends, the first included.
        cycle_s: seconds that a cycle and its floor are expected to take.
    """

    cycle: int
    jobs: int
    floors: int
    cycle_s: float


def make_plan(options: MeasureOptions, *, jobs_per_s: float, floor_s: float, left_s: float) -> Plan:
    """Cycles of the usual length where there is time for ten of them; else fewer, longer ones.

    Args:
        options: of the check.
        jobs_per_s: the application's rate in the warm-up.
        floor_s: seconds of a floor, the wait for results to expire included.
        left_s: seconds that are left.
    """
    most = min(options.max_jobs, FAST_JOBS) if options.fast else options.max_jobs
    cycle = min(FAST_CYCLE_JOBS if options.fast else CYCLE_JOBS, -(-most // _FLOORS_THAT_FIT))
    usable_s = _MEASURING_SHARE * left_s
    floors = 1 + -(-most // cycle)
    if usable_s < _FLOORS_THAT_FIT * (cycle / jobs_per_s + floor_s):
        # The jobs shall have at least as much of the time as the floors.
        floors = int(min(max(usable_s / (2 * floor_s), _FEWEST_FLOORS), TIMING.first_floors + 1))
        cycle = int(max((usable_s / floors - floor_s) * jobs_per_s, 1))
        cycle = min(cycle, max(most // (floors - 1), 1))
    return Plan(cycle, most, floors, cycle / jobs_per_s + floor_s)


def warm_up_jobs(options: MeasureOptions) -> int:
    """The jobs after which caches, pools and lazy imports are what they stay."""
    return FAST_WARM_UP_JOBS if options.fast else WARM_UP_JOBS


def rules_of(options: MeasureOptions, *, instrumented: bool = True) -> Rules:
    """What counts as a leak.

    Args:
        options: of the check.
        instrumented: whether the floors are bytes from the allocators' books, rather than a process's pages.
    """
    return Rules(
        tolerance=max(options.tolerance, FAST_TOLERANCE) if options.fast else options.tolerance,
        confidence=options.confidence,
        noise_bytes=FLOOR_NOISE.own_process if instrumented else PRIVATE_NOISE_BYTES,
        slowest_fill_jobs=FAST_FILL_JOBS if options.fast else SLOWEST_FILL_JOBS,
    )


def mapped_rules(rules: Rules) -> Rules:
    """The same for memory that is mapped directly, which comes in pages."""
    return Rules(
        tolerance=max(rules.tolerance, MAPPED_TOLERANCE),
        confidence=rules.confidence,
        noise_bytes=MAPPED_NOISE_BYTES,
        slowest_fill_jobs=FAST_FILL_JOBS,
    )
