from labserver.incident.experiments.challenge.slow_job import SlowJob, slow_jobs
from labserver.incident.service.settings import Settings
from labserver.load.photos import PhotoPool


def test_a_job_slower_than_its_ttl_is_kept_when_its_age_counts_from_its_completion():
    settings = Settings(store="ttl", ttl_s=2.0, sweep_s=0.05, service_time_s=2.5, result_px=32)
    by_completion, by_submission = slow_jobs(settings, PhotoPool(0, variants=1).pair(0))
    assert by_completion.answers[0][1] == by_submission.answers[0][1] == 409
    assert by_completion.answer_after(1.0) == 200
    assert by_submission.answer_after(1.0) == 410
    assert by_completion.kept_s > 1.0 > by_submission.kept_s


def test_what_became_of_a_job_is_read_from_its_answers():
    job = SlowJob("completion", done_s=1.0, answers=[(0.5, 409), (1.1, 200), (1.5, 200), (2.0, 410)])
    assert (job.gone_s, job.kept_s) == (2.0, 1.0)
    assert [job.answer_after(seconds) for seconds in (0, 0.3, 0.9, 5)] == [200, 200, 410, 410]
