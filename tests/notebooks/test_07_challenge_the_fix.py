"""What the challenge to the fix claims."""


def findings_of(result):
    (item,) = [item for item in result.notebooks if item.name == "07_challenge_the_fix"]
    return {found.name: found for found in item.findings}


def test_thirty_seconds_cannot_show_a_ttl_of_ten_minutes(settled):
    found = findings_of(settled)
    assert found["original_run_verdict"].value == "cannot be told apart"
    assert 600 < found["told_apart_at_original_s"].low < found["told_apart_at_original_s"].high < 670
    apart = [found[f"first_told_apart_s_ttl_{times}"] for times in (1, 2, 4)]
    assert all(item.holds for item in apart)


def test_bytes_follow_the_rate(settled):
    found = findings_of(settled)
    assert found["plateau_error_max"].value <= 0.1
    assert found["peak_error_max"].value <= 0.1
    room = found["rate_that_exhausts_512_mib_per_s"].value * 660 * found["result_bytes"].value
    assert abs(room / 2**29 - 1) < 1e-9


def test_a_slow_job_is_there_to_be_read(settled):
    found = findings_of(settled)
    assert found["slow_job_answer"].value == 200
    assert found["slow_job_answer_if_stamped_at_submission"].value == 410
    assert found["slow_job_kept_if_stamped_at_submission_s"].value < found["slow_job_kept_s"].value
