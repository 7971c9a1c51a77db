from types import SimpleNamespace

from labserver.heap.meters import Reading
from labserver.incident.experiments.leak.run import Experiment, Workload

PNG, RECORD = 200_000, 400


class Floors(SimpleNamespace):
    """An experiment of which there are but its floors."""

    bytes_per_job, decide = Experiment.bytes_per_job, Experiment.decide


# Of a job in `left` bytes, by which the floors are off in turn, and of all jobs a share that the store still has.
GOOD = {"left": PNG + RECORD, "scatter": 0, "live": 1.0, "iterations": 60, "check_rate": 1.0, "littles_law": 0.95}


def run(given):
    jobs = range(180, 421, 60)
    off = [given.scatter, -2 * given.scatter, 0, 2 * given.scatter, -given.scatter]  # which bends no slope
    floors = [
        Reading(0.0, 10**7 + round(given.left * n) + by, 0, round(given.live * n), n)
        for n, by in zip(jobs, off, strict=True)
    ]
    leaky = Floors(floors=floors, store="leaky", jitter=SimpleNamespace(p95_s=0.002))
    summary = SimpleNamespace(
        http_req_duration={"all": SimpleNamespace(avg=0.01, p95=0.02)},
        littles_law=SimpleNamespace(ratio=given.littles_law),
        iterations=given.iterations,
        iteration_rate=30.0,
        check_rate=given.check_rate,
    )
    return {
        "load": Workload(users=5, duration_s=2.0, poll_interval_s=0.15),
        "leaky": leaky,
        "summary": summary,
        "png_bytes": PNG,
        "record": RECORD,
    }


CAUSES = {
    "the store gives everything back": ({"left": 0, "live": 0.0}, {"verdict", "jobs_kept", "leak_bytes_per_job"}),
    "the store keeps every job but not its picture": ({"left": RECORD}, {"verdict", "leak_bytes_per_job"}),
    "a job leaves its photographs, too": ({"left": 3 * PNG}, {"leak_bytes_per_job"}),
    "the floors scatter by a result": ({"scatter": PNG}, {"leak_bytes_per_job"}),
    "some jobs were let go": ({"live": 0.99}, {"jobs_kept"}),
    "the users hardly begin": ({"iterations": 4}, {"iterations"}),
    "the users do not wait between two polls": ({"iterations": 500}, {"iterations"}),
    "a check fails": ({"check_rate": 0.99}, {"checks_rate"}),
    "the load generator is the bottleneck": ({"littles_law": 0.5}, {"littles_law_ratio"}),
}
