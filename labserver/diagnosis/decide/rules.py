"""What counts as a leak."""

from dataclasses import dataclass

from labserver.stats.floor_noise import FLOOR_NOISE

# A cache of random keys fills as 1 − exp(−jobs ÷ τ). Of 40,000 with a τ from 30 to 5,000 jobs two were taken for leaks
# (tests/bench/verdict_simulate.py). With 10,000 a leak without a holder would take 970 jobs instead of 760.
SLOWEST_FILL_JOBS = 5000.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as a leak, and how good the readings are.

    Attributes:
        tolerance: bytes per job below which growth is of no interest.
        confidence: of the interval that is reported; the decision itself takes a stricter one.
        noise_bytes: the least standard deviation that a floor is believed to have.
        slowest_fill_jobs: growth without a holder that can be counted is a leak if no cache of random keys with a time
            constant up to this many jobs fills as steadily.
        risk: of a slope's interval that misses it, over all decisions of a check. tests/bench/verdict_simulate.py
            calls 2 of 100,000 clean servers leaky with it; a tenth of it costs a sawtooth 130 jobs more.
        wanders: whether steps may stay from floor to floor, as items of some jobs leave them: not where an experiment
            knows what each job leaves, and has too few floors to show it.
    """

    tolerance: float = 256.0
    confidence: float = 0.99
    noise_bytes: float = FLOOR_NOISE.own_process
    slowest_fill_jobs: float = SLOWEST_FILL_JOBS
    risk: float = 1e-3
    wanders: bool = True
