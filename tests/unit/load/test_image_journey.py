import threading
import time

import pytest

from labserver.heap.meters import wait_until
from labserver.load.http import timed_session
from labserver.load.image_journey import MAX_PAUSE_S, ImageJourney, Upload, is_png
from labserver.load.journey import CutShortError
from labserver.load.polling import Polling
from labserver.load.samples import Samples


@pytest.fixture
def samples():
    return Samples()


@pytest.fixture
def drive(samples, stand_in):
    """Runs one iteration against the stand-in, or the given address."""

    def run(url=None, *, cut=None, poll_interval_s=0.01, max_polls=5):
        upload = Upload(b"photos", "multipart/form-data; boundary=x")
        cut = cut or threading.Event()
        polling = Polling(interval_s=poll_interval_s, max_polls=max_polls)
        journey = ImageJourney([upload], samples, cut, polling=polling)
        session, _ = timed_session(samples.request, journey.name_request, timeout_s=5)
        with session:
            return journey(session, url or stand_in.url)

    return run


def fails(samples):
    return {name: counts[1] for name, counts in samples.checks.items() if counts[1]}


def test_a_whole_iteration(drive, samples, stand_in):
    assert drive().ok
    assert samples.checks == {name: [1, 0] for name in ("job accepted", "jobId returned", "job done", "PNG decodes")}
    assert samples.names == ["submit", "status", "result"]
    assert list(samples.png_bytes) == [len(stand_in.image)]
    assert [path for _, path in stand_in.seen] == [
        "/api/images/analyze",
        "/api/images/status/a%2Fb%201",
        "/api/images/status/a%2Fb%201",
        "/api/images/result/a%2Fb%201",
    ]
    assert stand_in.uploads == [("multipart/form-data; boundary=x", b"photos")]


def test_it_rests_before_it_asks(drive, stand_in):
    cut = threading.Event()

    def once_submitted():
        assert wait_until(lambda: stand_in.seen, timeout_s=60)
        time.sleep(0.3)  # for a user who does not rest to ask
        cut.set()

    cutting = threading.Thread(target=once_submitted)
    cutting.start()
    with pytest.raises(CutShortError):
        drive(cut=cut, poll_interval_s=600)
    cutting.join()
    assert stand_in.seen == [("POST", "/api/images/analyze")]


def test_polling_is_bounded(drive, samples, stand_in):
    stand_in.statuses = ("RUNNING",)
    assert not drive(max_polls=3).ok
    assert fails(samples) == {"job done": 1}
    assert samples.first_failure == "job done: not done after 3 polls"
    assert sum("/status/" in path for _, path in stand_in.seen) == 3


def test_a_failed_job(drive, samples, stand_in):
    stand_in.statuses = ("RUNNING", "FAILED")
    assert not drive().ok
    assert fails(samples) == {"job done": 1}
    assert "FAILED" in samples.first_failure
    assert len(stand_in.seen) == 3


@pytest.mark.parametrize("body", [{}, {"jobId": ""}, {"jobId": None}, []])
def test_a_missing_job_id(drive, samples, stand_in, body):
    stand_in.submit_body = body
    assert not drive().ok
    assert fails(samples) == {"jobId returned": 1}


@pytest.mark.parametrize("damage", [lambda _: b"GIF89a", lambda png: png[:-20], lambda _: b""])
def test_a_result_that_is_no_png(drive, samples, stand_in, damage):
    stand_in.image = damage(stand_in.image)
    assert not drive().ok
    assert fails(samples) == {"PNG decodes": 1}
    assert not len(samples.png_bytes)


@pytest.mark.parametrize(("retry_after", "pause_s"), [("2", 2.0), ("3600", MAX_PAUSE_S), (None, 0.7), ("soon", 0.7)])
def test_a_full_queue_is_waited_for(drive, samples, stand_in, retry_after, pause_s):
    stand_in.submit_status, stand_in.retry_after = 503, retry_after
    outcome = drive(poll_interval_s=0.7)
    assert (outcome.ok, outcome.pause_s) == (False, pause_s)
    assert fails(samples) == {"job accepted": 1}
    assert len(stand_in.seen) == 1


def test_a_refused_connection_is_a_failed_check_and_a_pause(drive, samples, refused_url):
    outcome = drive(refused_url)
    assert not outcome.ok
    assert outcome.pause_s > 0
    assert fails(samples) == {"job accepted": 1}


def test_a_stop_ends_the_rest_at_once(drive, samples):
    cut = threading.Event()
    threading.Timer(0.1, cut.set).start()
    began = time.monotonic()
    with pytest.raises(CutShortError):
        drive(cut=cut, poll_interval_s=600)
    assert time.monotonic() - began < 60
    assert not fails(samples)


def test_a_damaged_checksum_is_no_png(png):
    whole = png()
    assert is_png(whole)
    assert not is_png(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])


def test_why_there_was_no_answer_is_said_in_a_word(drive, samples, refused_url):
    assert not drive(refused_url).ok
    assert samples.first_failure == "job accepted: no answer (refused)"
