"""How many jobs and floors a check can afford, from how quick the application is."""

from dataclasses import dataclass

from labserver.diagnosis.decide.decision import TIMING
from labserver.diagnosis.measure.heuristics import Cycles
from labserver.diagnosis.measure.options import MeasureOptions


@dataclass(frozen=True, slots=True)
class Plan:
    """The measured jobs.

    Attributes:
        cycle: jobs between two floors.
        jobs: measured jobs after which an undecided check ends.
        floors: floors after which it ends, the first included.
        cycle_s: seconds that a cycle and its floor are expected to take.
        jobs_per_s: the application's rate in the warm-up.
    """

    cycle: int
    jobs: int
    floors: int
    cycle_s: float
    jobs_per_s: float = 1.0


def make_plan(options: MeasureOptions, cycles: Cycles, *, jobs_per_s: float, floor_s: float, left_s: float) -> Plan:
    """Cycles of the usual length where there is time for ten of them; else fewer, longer ones.

    Args:
        options: of the check.
        cycles: the usual ones.
        jobs_per_s: the application's rate in the warm-up.
        floor_s: seconds of a floor, the wait for results to expire included.
        left_s: seconds that are left.
    """
    most = max(int(cycles.fast_share * options.max_jobs), 1) if options.fast else options.max_jobs
    cycle = min(cycles.fast_jobs if options.fast else cycles.jobs, -(-most // cycles.floors_that_fit))
    usable_s = cycles.measuring_share * left_s
    floors = 1 + -(-most // cycle)
    if usable_s < cycles.floors_that_fit * (cycle / jobs_per_s + floor_s):
        # The jobs shall have at least as much of the time as the floors.
        floors = int(min(max(usable_s / (2 * floor_s), cycles.fewest_floors), TIMING.first_floors + 1))
        cycle = int(max((usable_s / floors - floor_s) * jobs_per_s, 1))
        cycle = min(cycle, max(most // (floors - 1), 1))
    return Plan(cycle, most, floors, cycle / jobs_per_s + floor_s, jobs_per_s)
