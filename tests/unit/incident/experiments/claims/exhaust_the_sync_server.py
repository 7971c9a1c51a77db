import numpy as np

from labserver.incident.experiments.synchronous.measurements import Backlog, Impatience, Level, Overload
from labserver.incident.experiments.synchronous.run import Conditions
from labserver.load.traffic_record import Job, TrafficRecord

CONDITIONS = Conditions(pool=4, inference_s=0.2, measure_s=1.6, probe_interval_s=0.05, poll_interval_s=0.2)
OVERLOAD_S = 2.5
TAKEN = Job(0.0, 0.7, ok=True, status=202, error=None, retry_after=None)
REFUSED = Job(0.0, 0.01, ok=False, status=503, error=None, retry_after="1")
SHRUGGED = Job(0.0, 0.01, ok=False, status=503, error=None, retry_after=None)
SLOW = Job(0.0, 5.0, ok=True, status=202, error=None, retry_after=None)
FORGOTTEN = Job(0.0, None, ok=False, status=202, error=None, retry_after=None)


def level(users, throughput, response_s, health_s):
    return Level(users, throughput, response_s, np.full(20, health_s))


def grown(predicted, most, slope):
    times = np.array([0.0, OVERLOAD_S])
    return Backlog(times, np.array([0.0, most]), slope, predicted, 0.0)


# Four threads and 0.2 s: 20 faces a second from 4 users on; 30 arrive, so 10 more wait each second.
GOOD = {
    "at_pool": level(4, 20.0, 0.2, 0.15),
    "above": level(16, 20.0, 0.8, 0.8),
    "queued": level(16, 19.0, 0.84, 0.003),
    "impatience": Impatience(answered=5, timed_out=45, inferences=40),
    "backlog_per_s": 10.0,
    "waiting_unbounded": 25,
    "waiting_bounded": 8,
    "jobs": (TAKEN, REFUSED),
}


def run(given):
    levels = [level(2, 10.0, 0.2, 0.002), given.at_pool, level(8, 20.0, 0.4, 0.4), given.above]
    capacity = max(each.throughput for each in levels)
    predicted = 0.5 * capacity
    unbounded = grown(predicted, given.waiting_unbounded * capacity / 20, predicted)
    bounded = grown(predicted, given.waiting_bounded, predicted)
    return {
        "conditions": CONDITIONS,
        "levels": levels,
        "above": given.above,
        "client_timeout_s": 0.4,
        "impatience": given.impatience,
        "capacity": capacity,
        "rate": 1.5 * capacity,
        "backlog": grown(predicted, 25, given.backlog_per_s * capacity / 20),
        "queued": given.queued,
        "unbounded": Overload(unbounded, 2**20 * unbounded.waiting, TrafficRecord(0.0, OVERLOAD_S, (TAKEN,), ())),
        "bounded": Overload(bounded, bounded.waiting, TrafficRecord(0.0, OVERLOAD_S, given.jobs, ())),
    }


CAUSES = {
    "a level was disturbed by something else": ({"at_pool": level(4, 20.0, 0.3, 0.15)}, {"littles_law_worst"}),
    "the pool is no bound": (
        {"above": level(16, 80.0, 0.2, 0.8)},
        {"sync_throughput_above_per_s", "sync_response_above_s", "async_throughput_ratio"},
    ),
    "the model takes twice its time": (
        {"above": level(16, 10.0, 1.6, 0.8), "queued": level(16, 9.0, 1.7, 0.003)},
        {"sync_throughput_above_per_s", "sync_response_above_s"},
    ),
    "health has a thread of its own": ({"above": level(16, 20.0, 0.8, 0.01)}, {"health_p50_above_ms"}),
    "clients are patient": ({"impatience": Impatience(50, 5, 55)}, {"timed_out_share", "wasted_share"}),
    "the model stops when its client goes": ({"impatience": Impatience(5, 45, 6)}, {"wasted_share"}),
    "arrivals wait for one another": ({"backlog_per_s": 0.0}, {"backlog_growth_per_s"}),
    "the queue is taken away": ({"queued": level(16, 20.0, 0.8, 0.8)}, {"async_health_p95_ms"}),
    "the queue makes faces faster": ({"queued": level(16, 40.0, 0.4, 0.003)}, {"async_throughput_ratio"}),
    "the unbounded queue has a bound": ({"waiting_unbounded": 8}, {"unbounded_queue_jobs"}),
    "the bound is not kept": ({"waiting_bounded": 9}, {"bounded_queue_jobs"}),
    "nobody is refused": ({"jobs": (TAKEN,)}, {"bounded_refused_share"}),
    "who is refused is not told when to come back": ({"jobs": (TAKEN, SHRUGGED)}, {"bounded_refused_share"}),
    "who was taken waits too long": ({"jobs": (SLOW, REFUSED)}, {"bounded_slowest_s"}),
    "who was taken is forgotten": ({"jobs": (TAKEN, FORGOTTEN, REFUSED)}, {"bounded_slowest_s"}),
}
