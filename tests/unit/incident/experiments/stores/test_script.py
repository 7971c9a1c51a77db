from labserver.incident.experiments.stores.script import Script, Visit


def test_the_same_script_gives_the_same_visits():
    assert Script().visits() == Script().visits()


def test_the_late_ones_come_around_the_end_of_their_time_and_no_sweep_lies_between():
    script = Script()
    late = {visit.group: visit for visit in script.visits() if visit.group in {"in time", "late", "swept"}}
    asked = [late[group].arrives_s + late[group].asks_s[0] for group in ("in time", "late", "swept")]
    expiry = late["late"].arrives_s + script.ttl_s
    assert asked[0] < expiry < asked[1] < asked[2]
    sweeps = script.sweeps_s()
    assert not [at for at in sweeps if asked[0] <= at <= asked[1]]
    assert [at for at in sweeps if asked[1] < at < asked[2]]


def test_a_result_counts_as_lost_only_where_its_client_came_in_time():
    refused = Visit("burst", 0, (3,), answers=[410])
    lost = Visit("burst", 0, (3,), job_id="a", answers=[410])
    late = Visit("late", 0, (601,), job_id="a", answers=[410])
    read = Visit("once", 0, (3, 60), job_id="a", answers=[200, 410])
    assert [visit.lost_unread(600) for visit in (refused, lost, late, read)] == [False, True, False, False]
