"""A job's journey through the page, one test for each way that it can go."""

import io
import struct
import zlib

import pytest
import requests
from PIL import Image

from labserver.incident.service.face import largest_png_bytes
from labserver.incident.service.jobs import JobResult, JobState

FOREVER = {"service_time_s": 3600}  # a job stays RUNNING until the test says otherwise


def finish(server, job_id, state=JobState.DONE, error=None):
    """Let a job end as the test wants it."""
    image = None
    if state is JobState.DONE:
        out = io.BytesIO()
        Image.new("RGB", (32, 32), "teal").save(out, "PNG")
        image = out.getvalue()
    server.service.store.put(job_id, JobResult(state, image, error, server.service.clock()))


def begin(visited, photos):
    """Submit two photographs, and return once the job was asked for the first time."""
    visited.choose(*photos)
    visited.submit()
    visited.expect_next_question(1, 1)
    visited.pass_time(1)


def test_two_photographs_become_a_face_that_can_be_downloaded(visit, serve, photos, wait_until):
    server = serve()
    here = visit(server.url)
    here.choose(*photos)
    here.expect_shown(".picker[data-part=parentA] img", ".picker[data-part=parentB] img")
    here.expect_text("#words", "Ready to compose the face.")
    here.submit()
    here.expect_next_question(1, 1)
    here.expect_state("PENDING")
    wait_until(server.service.idle)
    here.pass_time(1)
    here.expect_state("DONE")
    here.expect_face()
    with here.page.expect_download() as download:
        here.page.click("#download")
    assert download.value.suggested_filename == "face.png"
    with Image.open(download.value.path()) as face:
        assert (face.format, face.size) == ("PNG", (384, 384))
    assert here.page.inner_text("#face-size").startswith("384 × 384 pixels")


def test_it_can_be_done_again_without_loading_the_page_again(visit, serve, photos, wait_until):
    server = serve()
    here = visit(server.url)
    for _ in range(2):
        here.choose(*photos)
        here.submit()
        here.expect_next_question(1, 1)
        wait_until(server.service.idle)  # a question on its way would be asked again after the time has passed
        here.pass_time(1)
        here.expect_face()
    assert here.submissions() == 2
    assert len(set(here.polls())) == 2


def test_the_state_is_shown_as_it_changes_in_a_live_region(visit, serve, photos, wait_until):
    server = serve(**FOREVER)
    here = visit(server.url)
    here.choose(*photos)
    here.submit()
    here.expect_next_question(1, 1)
    wait_until(lambda: server.service.store.counts()[JobState.RUNNING] == 1)
    here.pass_time(1)
    here.expect_state("RUNNING")
    here.expect_next_question(2, 3)
    (job_id,) = here.polls()
    finish(server, job_id, JobState.PENDING)
    here.pass_time(3)
    here.expect_state("PENDING")
    finish(server, job_id)
    here.expect_next_question(3, 3)
    here.pass_time(3)
    here.expect_state("DONE")
    assert here.page.get_attribute("#status", "role") == "status"
    assert here.page.eval_on_selector("#count", "e => e.closest('[role=status], [aria-live]')") is None


def test_it_asks_forty_times_then_says_so_and_asks_for_the_same_job_again_when_told(visit, serve, photos):
    server = serve(**FOREVER)
    here = visit(server.url)
    begin(here, photos)
    for question in range(2, 41):
        here.expect_next_question(question, 3)
        here.pass_time(3)
    here.expect_text("#words", "No face after 40 questions.")
    here.expect_shown("#problem", "#ask-again", "#submit-again")
    here.pass_time(3600)
    assert len(here.polls()) == 40
    (job_id,) = set(here.polls())
    finish(server, job_id)
    here.page.click("#ask-again")
    here.expect_next_question(1, 1)
    here.pass_time(1)
    here.expect_face()
    assert here.submissions() == 1


def test_a_server_that_was_restarted_does_not_know_the_job(visit, serve, photos, kept_port):
    server = serve(port=kept_port, **FOREVER)
    here = visit(server.url)
    begin(here, photos)
    here.expect_next_question(2, 3)
    serve.stop(server)
    here.pass_time(3)
    here.expect_state("NO ANSWER")
    here.expect_next_question(3, 6)
    serve(port=kept_port)
    here.pass_time(6)
    here.expect_text("#words", "The server does not know this job.")
    here.expect_shown("#submit-again")
    here.expect_hidden("#ask-again")
    assert "restarted" in here.page.inner_text("#problem-words")
    here.page.click("#submit-again")
    here.expect_next_question(1, 1)


def test_a_result_whose_time_is_over_is_gone(visit, serve, photos, wait_until):
    server = serve(store="ttl")
    here = visit(server.url)
    here.choose(*photos)
    here.submit()
    here.expect_next_question(1, 1)
    wait_until(server.service.idle)
    assert server.service.expire() == 1
    here.pass_time(1)
    here.expect_text("#words", "The job is gone.")
    here.expect_text("#problem-words", "Its time is over; submit the photographs again.")
    here.expect_shown("#submit-again")
    here.expect_hidden("#ask-again")
    assert len(here.polls()) == 1


def test_a_full_store_is_given_the_time_that_it_asks_for(visit, serve, photos, post, wait_until):
    server = serve(store="byte-budget", result_px=64, budget_bytes=largest_png_bytes(64), retry_after_s=7)
    job_id = post(server)
    wait_until(server.service.idle)
    here = visit(server.url)
    here.choose(*photos)
    here.submit()
    here.expect_state("BUSY")
    here.expect_text("#words", "All results kept are still to be read. They are sent again in 7 seconds.")
    here.expect_text("#count", "Attempt 2 of 5 in 7 s")
    here.pass_time(6)
    here.expect_text("#count", "Attempt 2 of 5 in 1 s")
    assert here.submissions() == 1
    requests.get(f"{server.url}/api/images/result/{job_id}", timeout=30)  # now there is room
    here.pass_time(1)
    here.expect_next_question(1, 1)
    assert here.submissions() == 2


def test_a_full_queue_is_tried_five_times(visit, serve, photos, post, wait_until):
    server = serve(workers=1, queue_size=1, **FOREVER)
    post(server)
    wait_until(lambda: server.service.store.counts()[JobState.RUNNING] == 1)
    post(server)
    here = visit(server.url)
    here.choose(*photos)
    here.submit()
    for attempt in range(2, 6):
        here.expect_text("#count", f"Attempt {attempt} of 5 in 3 s")
        here.pass_time(3)
    here.expect_text("#words", "The server is still busy.")
    assert "All places in the queue are taken" in here.page.inner_text("#problem-words")
    here.expect_shown("#submit-again")
    here.expect_hidden("#ask-again")
    here.pass_time(3600)
    assert here.submissions() == 5


def test_questions_too_wait_as_long_as_the_server_says(visit, serve, photos):
    server = serve(retry_after_s=7, **FOREVER)
    here = visit(server.url)
    begin(here, photos)
    here.expect_next_question(2, 7)
    here.pass_time(6)
    assert len(here.polls()) == 1


def test_nobody_sits_through_an_hour(visit, serve, photos, post, wait_until):
    server = serve(store="byte-budget", result_px=64, budget_bytes=largest_png_bytes(64), retry_after_s=3600)
    post(server)
    wait_until(server.service.idle)
    here = visit(server.url)
    here.choose(*photos)
    here.submit()
    here.expect_text("#words", "The server asks to come back later.")
    assert "Try again in 60 minutes." in here.page.inner_text("#problem-words")


def test_a_job_that_fails_says_why(visit, serve, tmp_path, photos, wait_until):
    server = serve()
    here = visit(server.url)
    here.choose(torn_png(tmp_path), photos[1])
    here.submit()
    here.expect_next_question(1, 1)
    wait_until(server.service.idle)
    here.pass_time(1)
    here.expect_state("FAILED")
    here.expect_text("#problem-words", "The image is truncated or damaged.")
    here.expect_shown("#submit-again")
    here.expect_hidden("#ask-again", "#face")


def test_a_server_that_is_away_is_asked_less_often_and_found_when_it_is_back(visit, serve, photos):
    server = serve(**FOREVER)
    here = visit(server.url)
    begin(here, photos)
    here.expect_next_question(2, 3)
    here.context.set_offline(True)
    here.pass_time(3)
    for question, delay in ((3, 6), (4, 12), (5, 24), (6, 24)):
        here.expect_state("NO ANSWER")
        here.expect_next_question(question, delay)
        if question < 6:
            here.pass_time(delay)
    here.context.set_offline(False)
    here.pass_time(24)
    here.expect_state("RUNNING")
    here.expect_next_question(7, 3)
    finish(server, here.polls()[0])
    here.pass_time(3)
    here.expect_face()


def test_a_server_that_stays_away_is_given_up_after_forty_questions(visit, serve, photos):
    here = visit(serve(**FOREVER).url)
    begin(here, photos)
    here.expect_next_question(2, 3)
    here.context.set_offline(True)
    here.pass_time(3)
    for question in range(3, 41):
        delay = min(24, 3 * 2 ** (question - 2))
        here.expect_next_question(question, delay)
        here.pass_time(delay)
    here.expect_text("#words", "No face after 40 questions.")
    assert "does not answer" in here.page.inner_text("#problem-words")
    here.expect_shown("#ask-again", "#submit-again")


def test_photographs_that_may_have_arrived_are_not_sent_again_unasked(visit, serve, photos):
    here = visit(serve().url)
    here.choose(*photos)
    here.context.set_offline(True)
    here.submit()
    here.expect_text("#words", "The server did not answer.")
    here.expect_hidden("#ask-again")
    here.pass_time(3600)
    assert here.submissions() == 1
    here.context.set_offline(False)
    here.page.click("#submit-again")
    here.expect_next_question(1, 1)


def test_whoever_leaves_asks_for_nothing_more(visit, serve, photos):
    here = visit(serve(**FOREVER).url)
    begin(here, photos)
    here.expect_next_question(2, 3)
    here.page.goto("about:blank")
    before = len(here.requests)
    here.pass_time(600)
    here.page.wait_for_timeout(100)
    assert len(here.requests) == before


def test_a_page_in_the_browsers_cache_is_silent_and_offers_to_go_on(visit, serve, photos):
    server = serve(**FOREVER)
    here = visit(server.url)
    begin(here, photos)
    here.expect_next_question(2, 3)
    here.page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    here.expect_text("#words", "Stopped.")
    before = len(here.requests)
    here.pass_time(600)
    here.page.wait_for_timeout(100)
    assert len(here.requests) == before
    here.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    finish(server, here.polls()[0])
    here.page.click("#ask-again")
    here.expect_next_question(1, 1)
    here.pass_time(1)
    here.expect_face()


def test_no_question_is_asked_while_one_is_open_which_ends_after_fifteen_seconds(visit, serve, photos):
    here = visit(serve(**FOREVER).url)
    held = []
    here.page.route("**/api/images/status/*", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks its handlers
    begin(here, photos)
    here.expect_text("#count", "Question 1 of 40")
    here.expect_held(held, 1)
    here.pass_time(14)
    here.page.wait_for_timeout(100)
    assert len(here.polls()) == len(held) == 1
    here.pass_time(1)
    here.expect_state("NO ANSWER")
    here.expect_next_question(2, 6)
    here.pass_time(6)
    here.expect_text("#count", "Question 2 of 40")
    here.expect_held(held, 2)
    held[1].continue_()
    here.expect_next_question(3, 3)


def test_a_second_submission_ends_the_first(visit, serve, photos):
    here = visit(serve(**FOREVER).url)
    begin(here, photos)
    here.expect_next_question(2, 3)
    here.submit()
    here.expect_next_question(1, 1)
    here.pass_time(1)
    for question in range(2, 6):
        here.expect_next_question(question, 3)
        here.pass_time(3)
    here.expect_next_question(6, 3)
    first, *later = here.polls()
    assert len(later) == 5
    assert first not in later
    here.expect_hidden("#problem")


def test_stop_stops(visit, serve, photos):
    here = visit(serve(**FOREVER).url)
    begin(here, photos)
    here.expect_next_question(2, 3)
    here.page.click("#stop")
    here.expect_text("#words", "Stopped.")
    here.expect_shown("#ask-again", "#submit-again")
    here.expect_hidden("#stop")
    here.pass_time(600)
    assert len(here.polls()) == 1


def test_a_broken_result_is_no_face(visit, serve, photos):
    server = serve(**FOREVER)
    here = visit(server.url)
    begin(here, photos)
    here.expect_next_question(2, 3)
    broken = JobResult(JobState.DONE, b"no image", None, server.service.clock())
    server.service.store.put(here.polls()[0], broken)
    here.pass_time(3)
    here.expect_text("#words", "The face cannot be shown.")
    here.expect_hidden("#face")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", b"no photograph", "notes.txt is not a JPEG, PNG or WebP image."),
        ("empty.png", b"", "empty.png is empty."),
        ("text.png", b"no photograph", "text.png cannot be read as an image."),
        ("large.jpg", bytes(400_000), "large.jpg has 390.6 KiB, more than the 292.0 KiB that the server takes."),
    ],
)
def test_a_photograph_that_cannot_be_used_is_not_sent(visit, serve, photos, tmp_path, name, content, words):
    here = visit(serve(max_upload_bytes=299_000).url)
    path = tmp_path / name
    path.write_bytes(content)
    here.choose(path, photos[1])
    here.expect_text("#parentA-error", words)
    here.submit()
    assert here.page.get_attribute("#parentA", "aria-invalid") == "true"
    assert here.page.evaluate("document.activeElement.id") == "parentA"
    assert here.submissions() == 0
    here.page.set_input_files("#parentA", photos[0])  # a good one in its place
    here.expect_text("#parentA-error", "")
    here.submit()
    here.expect_next_question(1, 1)


def test_without_photographs_nothing_is_sent(visit, serve):
    here = visit(serve().url)
    here.submit()
    here.expect_text("#parentA-error", "Choose a photograph.")
    here.expect_text("#parentB-error", "Choose a photograph.")
    assert here.submissions() == 0


def test_photographs_that_are_too_large_together_are_not_sent(visit, serve, photos):
    most = sum(path.stat().st_size for path in photos)
    here = visit(serve(max_upload_bytes=most).url)
    here.choose(*photos)
    here.submit()
    here.expect_shown("#parentB-error")
    assert here.page.inner_text("#parentB-error").startswith("Both together have")
    assert here.submissions() == 0


def test_what_only_the_server_finds_is_shown_at_the_photograph(visit, serve, photos, tmp_path):
    here = visit(serve().url)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photos[1].read_bytes()[:20_000])
    here.choose(photos[0], cut)
    here.submit()
    here.expect_text("#parentB-error", "The image is truncated or damaged. Send another one.")
    here.expect_text("#words", "The photographs were not taken.")
    here.expect_text("#parentA-error", "")


def test_a_photograph_can_be_dropped(visit, serve, photos):
    here = visit(serve().url)
    dropped = here.page.evaluate_handle(
        "bytes => { const data = new DataTransfer();"
        " data.items.add(new File([new Uint8Array(bytes)], 'dropped.jpg', {type: 'image/jpeg'})); return data; }",
        list(photos[0].read_bytes()[:30_000]),
    )
    here.page.dispatch_event(".picker[data-part=parentA]", "drop", {"dataTransfer": dropped})
    here.expect_shown(".picker[data-part=parentA] img")
    assert here.page.eval_on_selector("#parentA", "input => input.files[0].name") == "dropped.jpg"


def torn_png(folder):
    """A PNG whose checksums are right and whose pixels are not: what is looked at when it arrives is in order."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(range(256)) * 48)[:40] + b"\xff" * 40
    path = folder / "torn.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path
