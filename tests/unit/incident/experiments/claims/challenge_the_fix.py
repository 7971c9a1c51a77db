import math
from types import SimpleNamespace

import numpy as np

from labserver.incident.experiments.challenge import plateau, run_length
from labserver.incident.experiments.challenge.arrivals import Series
from labserver.incident.experiments.challenge.plateau import Cell, Grid
from labserver.incident.experiments.challenge.run import Run
from labserver.incident.experiments.challenge.slow_job import SlowJob
from labserver.incident.service.settings import Settings

SIZE, CONFIDENCE, SAMPLE_S = 20_000.0, 0.99, 0.005
RATE, TTLS, SWEEP_SHARE = 31.0, (0.3, 0.6, 1.2), 0.1
GRID_RATES, GRID_TTLS, GRID_SWEEP_S = (20.3, 40.6, 60.9), (0.8, 1.6), 0.4
SLOW = Settings(store="ttl", ttl_s=0.4, sweep_s=0.05, service_time_s=0.6)
INCIDENT_SHARE = 1.48 / RATE

GOOD = {
    "lives_for": 1.0,  # times to live of the fixed store
    "odd_run": 1.0,  # what the last leaky run keeps of each result
    "original_ttl_s": 600.0,
    "incident_run_s": 30.0,
    "left": 0.0,  # of each result, by the store with a TTL
    "leaky_left": 1.0,  # of each result, by the leaky one
    "traced": 1.03,  # traced bytes for each byte that a store counts
    "mean": 1.0,  # of the predicted
    "peak": 1.0,
    "slow": 200,  # HTTP status, two sweeps after the completion
    "slow_by_submission": 410,
}


def observed(ttl_s=math.inf, *, lives_for=1.0, sweep_s=1.0, rate=RATE, **figures):
    """A run by the rule itself: finished at even distances, gone at the first sweep past the time to live."""
    given = SimpleNamespace(**{"length_s": 3.3, "kept": 1.0, "left": 0.0, "traced": 1.03, "seed": 0} | figures)
    t = np.arange(0, given.length_s, SAMPLE_S)
    finished, swept_at = np.floor(rate * t), np.floor(t / sweep_s) * sweep_s
    swept = np.floor(rate * np.clip(swept_at - lives_for * ttl_s, 0, None))
    kept = SIZE * given.kept * (finished - swept)
    noise = np.random.default_rng(given.seed).normal(0, 100, t.size)
    heap = 10**6 + given.traced * kept + given.left * SIZE * finished + noise
    numbers, first = np.unique(finished[finished > 0], return_index=True)
    least = np.array([heap[finished == number].min() for number in numbers])
    settings = Settings(store="ttl", ttl_s=min(ttl_s, 1e6), sweep_s=sweep_s)
    series = Series(t, heap, kept[:, None], finished[:, None])
    return Run(settings, rate, series, numbers, least - least[:3].mean(), t[finished > 0][first])


def cell(rate, ttl_s, given):
    settings = Settings(store="ttl", ttl_s=ttl_s, sweep_s=GRID_SWEEP_S)
    made = Cell(settings, rate, SIZE, 0.0, 0.0, None)
    mean, peak = given.mean * made.predicted_mean_bytes, given.peak * made.predicted_peak_bytes
    return Cell(settings, rate, SIZE, mean, peak, None)


def run(given):
    lengths = {ttl: ttl * (1 + 2 * SWEEP_SHARE) + 6 / RATE for ttl in TTLS}
    leaky = [observed(length_s=lengths[TTLS[-1]], kept=kept, seed=n) for n, kept in enumerate((1, 1, given.odd_run))]
    noise = run_length.noise_between(leaky[:2], confidence=CONFIDENCE)
    fixed = {
        ttl: observed(ttl, lives_for=given.lives_for, sweep_s=ttl * SWEEP_SHARE, length_s=length, seed=9)
        for ttl, length in lengths.items()
    }
    ttl_s = INCIDENT_SHARE * given.original_ttl_s
    original = observed(ttl_s, sweep_s=ttl_s * SWEEP_SHARE, length_s=INCIDENT_SHARE * 30, seed=8)
    limit = noise.limit_bytes / SIZE
    steady = observed(
        0.8, lives_for=given.lives_for, sweep_s=0.2, rate=GRID_RATES[-1], left=given.left, traced=given.traced
    )
    growing = observed(rate=GRID_RATES[-1], length_s=1.6, kept=given.leaky_left, traced=given.traced)
    return {
        "incident_run_s": given.incident_run_s,
        "lengths": run_length.RunLengths(
            noise,
            limit,
            measured={ttl: run_length.told_apart_s(each, noise) for ttl, each in fixed.items()},
            predicted={ttl: run_length.predicted_for(each, noise) for ttl, each in fixed.items()},
            false_alarms=run_length.false_alarms(leaky, confidence=CONFIDENCE),
        ),
        "needed": run_length.predicted_s(600.0, 60.0, rate_per_s=1.48, first_s=1 / 1.48, limit_results=limit),
        "original": original,
        "steady": steady,
        "slopes": plateau.slopes(growing, steady, confidence=CONFIDENCE),
        "grid": Grid([cell(rate, ttl, given) for ttl in GRID_TTLS for rate in GRID_RATES], None),
        "sizes": {"result_bytes": SIZE, "larger_bytes": 2e6},
        "times": {"ttl_s": 600.0, "sweep_s": 60.0},
        "heaps": {"512_mib": 2.0**29, "4_gib": 2.0**32},
        "slow": SLOW,
        "by_completion": SlowJob("completion", 0.6, [(0.8, given.slow), (1.1, 410)]),
        "by_submission": SlowJob("submission", 0.6, [(0.8, given.slow_by_submission)]),
    }


APART = {f"first_told_apart_s_ttl_{times}" for times in (1, 2, 4)}
CAUSES = {
    "the fix is taken out": (
        {"lives_for": math.inf, "mean": 2.0, "peak": 2.0},
        APART | {"ttl_steady_bytes_per_job", "plateau_error_max", "peak_error_max", "traced_plateau_error"},
    ),
    "results live half as long as they should": ({"lives_for": 0.5}, APART | {"traced_per_kept_byte"}),
    "a leaky run is unlike the others": ({"odd_run": 0.5}, {"false_alarms"}),
    "the time to live is shorter than the load test": ({"original_ttl_s": 10.0}, {"original_run_verdict"}),
    "the load test is longer than the time to live": ({"incident_run_s": 700.0}, {"told_apart_at_original_s"}),
    "the steady heap creeps": ({"left": 0.2}, {"ttl_steady_bytes_per_job", "traced_plateau_error"}),
    "the leaky store keeps a third": (
        {"leaky_left": 1 / 3},
        {"leaky_bytes_per_job", "traced_per_kept_byte", "traced_plateau_error"},
    ),
    "the heap takes twice what is counted": ({"traced": 2.0}, {"traced_per_kept_byte"}),
    "the plateau is not λ · (TTL + sweep / 2) · bytes": ({"mean": 0.85}, {"plateau_error_max"}),
    "the peak is not λ · (TTL + sweep) · bytes": ({"peak": 1.15}, {"peak_error_max"}),
    "the age is counted from the submission": ({"slow": 410}, {"slow_job_answer"}),
    "the other stamp makes no difference": ({"slow_by_submission": 200}, {"slow_job_answer_if_stamped_at_submission"}),
}
