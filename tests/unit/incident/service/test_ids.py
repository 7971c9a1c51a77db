import re

import pytest

from labserver.incident.service.ids import JobIds, UnknownJob


def test_an_issued_id_tells_when(clock):
    ids = JobIds(clock)
    job_id = ids.issue()
    clock.now += 1000
    assert ids.verify(job_id) == clock.now - 1000


def test_ids_differ_and_are_safe_in_a_url(clock):
    ids = JobIds(clock)
    issued = {ids.issue() for _ in range(100)}
    assert len(issued) == 100
    assert all(re.fullmatch(r"[\w.-]+", job_id) for job_id in issued)


def test_another_process_knows_nothing_of_it(clock):
    with pytest.raises(UnknownJob):
        JobIds(clock).verify(JobIds(clock).issue())


@pytest.mark.parametrize("job_id", ["", ".", "..", "x", "a.b.c", "é.é.é", "\ud800", "0" * 10_000])
def test_nonsense_is_unknown(clock, job_id):
    with pytest.raises(UnknownJob):
        JobIds(clock).verify(job_id)


def test_every_single_changed_character_is_noticed(clock):
    ids = JobIds(clock)
    job_id = ids.issue()
    for position, character in enumerate(job_id):
        for other in "AB":
            if character != other:
                with pytest.raises(UnknownJob):
                    ids.verify(job_id[:position] + other + job_id[position + 1 :])


@pytest.mark.parametrize("stray", ["!", "=", " ", "\n"])
def test_stray_characters_are_noticed(clock, stray):
    ids = JobIds(clock)
    with pytest.raises(UnknownJob):
        ids.verify(ids.issue() + stray)
