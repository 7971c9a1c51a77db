"""The arithmetic over what became of each job."""

import math

import numpy as np

from labserver.load.traffic_record import Job, Probe, TrafficRecord


def course(*jobs, probes=()):
    made = tuple(Job(start, seconds, ok, 200 if ok else None, None, None) for start, seconds, ok in jobs)
    return TrafficRecord(100.0, 4.0, made, tuple(Probe(*probe) for probe in probes))


def test_the_backlog_counts_what_has_begun_and_not_ended():
    run = course((0.0, 1.0, True), (0.5, None, False), (1.0, 3.0, True))
    assert run.backlog([0.0, 0.4, 0.6, 1.0, 1.5, 5.0]).tolist() == [1, 1, 2, 2, 2, 1]


def test_only_faces_of_the_window_are_finished():
    run = course((0.0, 1.0, True), (0.0, 2.0, False), (1.0, 1.5, True), (1.0, None, False))
    assert [job.end_s for job in run.finished(1.0, 2.5)] == [1.0]
    assert [job.end_s for job in run.finished(1.0, 2.6)] == [1.0, 2.5]
    assert math.isinf(run.jobs[3].end_s)


def test_a_look_without_an_answer_is_slower_than_all():
    run = course((0.0, 1.0, True), probes=[(0.1, 0.002), (0.5, None), (2.0, 0.003)])
    np.testing.assert_array_equal(run.health_s(0.0, 1.0), [0.002, math.inf])


def test_it_comes_back_from_the_workers_json():
    plain = {
        "began": 5.0,
        "duration_s": 2.0,
        "jobs": [[0.5, None, False, 503, None, "1"]],
        "probes": [[0.4, 0.1], [0.2, None]],
    }
    run = TrafficRecord.from_dict(plain)
    assert run.jobs == (Job(0.5, None, False, 503, None, "1"),)
    assert run.probes == (Probe(0.2, None), Probe(0.4, 0.1))
