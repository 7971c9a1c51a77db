from types import SimpleNamespace

from labserver.heap.meters import Reading
from labserver.incident.experiments.leak.run import Experiment

PNG, TTL_S, SWEEP_S = 200_000, 2.0, 0.2


class Floors(SimpleNamespace):
    """An experiment of which there are but its floors and its summaries."""

    bytes_per_job, decide = Experiment.bytes_per_job, Experiment.decide

    def summaries(self):
        return [SimpleNamespace(check_rate=rate) for rate in (1.0, self.check_rate)]

    def mean_png_bytes(self):
        return PNG


# Bytes that a job leaves behind, by how many the floors are off in turn, and the share of jobs that are kept, by store.
GOOD = {
    "leaky_left": PNG,
    "leaky_live": 1.0,
    "leaky_checks": 1.0,
    "ttl_left": 0,
    "ttl_scatter": 0,
    "ttl_live": 0.0,
    "ttl_checks": 1.0,
    "waited_s": TTL_S + 2 * SWEEP_S,
}


def verified(store, left, live, check_rate, scatter=0):
    off = [scatter, -scatter, -scatter, scatter]  # which bends no slope
    floors = [
        Reading(0.0, 10**7 + round(left * n) + by, 0, round(live * n), n)
        for n, by in zip(range(180, 361, 60), off, strict=True)
    ]
    return Floors(store=store, floors=floors, check_rate=check_rate, swept_while_waiting=60)


def run(given):
    leaky = verified("leaky", given.leaky_left, given.leaky_live, given.leaky_checks)
    fixed = verified("ttl", given.ttl_left, given.ttl_live, given.ttl_checks, given.ttl_scatter)
    return {"leaky": leaky, "fixed": fixed, "waited_s": given.waited_s}


CAUSES = {
    "the fix is taken out": ({"ttl_left": PNG, "ttl_live": 1.0}, {"ttl_verdict", "ttl_jobs_kept", "ttl_bytes_per_job"}),
    "the fix keeps what the store does not count": ({"ttl_left": PNG / 30}, {"ttl_verdict", "ttl_bytes_per_job"}),
    "the fix keeps a little of every job": ({"ttl_left": PNG / 200}, {"ttl_bytes_per_job"}),
    "the floors after the fix scatter": ({"ttl_scatter": PNG // 5}, {"ttl_verdict", "ttl_bytes_per_job"}),
    "the fix keeps the records": ({"ttl_live": 0.1}, {"ttl_jobs_kept"}),
    "there was no leak before": (
        {"leaky_left": 0, "leaky_live": 0.0},
        {"leaky_verdict", "leaky_jobs_kept", "leaky_bytes_per_job"},
    ),
    "before, a job left a tenth of its result": ({"leaky_left": PNG / 10}, {"leaky_bytes_per_job"}),
    "before, some jobs were let go": ({"leaky_live": 0.99}, {"leaky_jobs_kept"}),
    "the last results were not waited for": ({"waited_s": TTL_S}, {"drain_s"}),
    "a check of the leaky store's users fails": ({"leaky_checks": 0.9}, {"leaky_checks_rate"}),
    "a check of the fixed store's users fails": ({"ttl_checks": 0.9}, {"ttl_checks_rate"}),
}
