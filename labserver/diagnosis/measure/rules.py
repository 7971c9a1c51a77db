"""What counts as a leak in a check, by its options and by how coarse its readings are."""

import math

from labserver.diagnosis.decide.rules import SLOWEST_FILL_JOBS, Rules
from labserver.diagnosis.measure.heuristics import Coarseness
from labserver.diagnosis.measure.options import MeasureOptions
from labserver.stats.floor_noise import FLOOR_NOISE


def rules_of(
    options: MeasureOptions, coarseness: Coarseness, *, instrumented: bool = True, processes: int = 1
) -> Rules:
    """What counts as a leak.

    Args:
        options: of the check.
        coarseness: of readings that are no allocator's books.
        instrumented: whether the floors are bytes from the allocators' books, rather than a process's pages.
        processes: that are read together, each of which has noise of its own.
    """
    noise = FLOOR_NOISE.own_process if instrumented else coarseness.private_noise
    return Rules(
        tolerance=max(options.tolerance, coarseness.fast_tolerance) if options.fast else options.tolerance,
        confidence=options.confidence,
        noise_bytes=math.sqrt(processes) * noise,
        slowest_fill_jobs=processes * (coarseness.fast_fill_jobs if options.fast else SLOWEST_FILL_JOBS),
    )


def mapped_rules(rules: Rules, coarseness: Coarseness) -> Rules:
    """The same for memory that is mapped directly, which comes in pages."""
    return Rules(
        tolerance=max(rules.tolerance, coarseness.mapped_tolerance),
        confidence=rules.confidence,
        noise_bytes=coarseness.mapped_noise,
        slowest_fill_jobs=coarseness.fast_fill_jobs,
    )
