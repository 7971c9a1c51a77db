import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from labserver.errors import UsageError
from labserver.load import templates, virtual_users
from labserver.load.http import timed_session
from labserver.load.journey import CutShortError
from labserver.load.samples import Samples
from labserver.load.templates import RequestsJourney, RequestTemplate, parse_requests


def test_a_request_is_a_method_a_path_and_perhaps_a_body():
    assert parse_requests(["get /a?b=1", 'POST /jobs json={"size": [1, 2]}', "PUT /x data=a=1&b=2"]) == [
        RequestTemplate("GET", "/a?b=1"),
        RequestTemplate("POST", "/jobs", "json", '{"size": [1, 2]}'),
        RequestTemplate("PUT", "/x", "data", "a=1&b=2"),
    ]


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["/work"], "is no request"),
        (["GET work"], "is no request"),
        (["GET /a b"], "is no request"),
        (["POST /a json={1"], "is no JSON"),
        (["GET /jobs/{id}"], r"needs \{id\}, but no request before it"),
        (["GET /a header=X-Key:{key}"], r"needs \{key\}, but no request before it"),
        (["GET /a header=X-Key"], "give it as header=NAME:VALUE"),
        (["GET /a header='X Key:1'"], "give it as header=NAME:VALUE"),
        (["POST /a file=photo.jpg"], "give it as file=FIELD@PATH"),
        (["POST /a file=f@nowhere.jpg"], "nowhere.jpg, which .* uploads, cannot be read"),
        (["POST /a file=f@{here} json={}"], "files and a JSON body"),
        (["GET /a until=DONE"], "give it as until=FIELD=VALUE"),
        (["GET /a until=status="], "give it as until=FIELD=VALUE"),
        (["GET /a json={} until=status=DONE"], "is no JSON"),
        (["GET /a wait=1"], "is no request: give it as"),
        (["GET /a expct=404"], "'expct' is no option; did you mean 'expect'"),
        (["GET /a headers=X-Key:1 expect=404"], "'headers' is no option; did you mean 'header'"),
        (["POST /a jsn={}"], "'jsn' is no option; did you mean 'json'"),
        (["GET /a header='X-Key:1"], "header= has nothing behind it, or a quote in it is not closed"),
        (["GET /a expect="], "expect= has nothing behind it"),
        (["GET /a expect=teapot"], "give it as expect=422, expect=4xx or expect=2xx|404"),
        (["GET /a expect=4x"], "give it as expect=422, expect=4xx or expect=2xx|404"),
        (["GET /a expect=404|"], "give it as expect=422, expect=4xx or expect=2xx|404"),
        (["GET /a expect=600"], "give it as expect=422, expect=4xx or expect=2xx|404"),
    ],
)
def test_a_request_that_cannot_work_is_refused(texts, sentence):
    with pytest.raises(UsageError, match=sentence):
        parse_requests([text.replace("{here}", __file__) for text in texts])


@contextmanager
def server(answers):
    """Answers with what `answers[method path]` gives, in turn where it is a list; yields its URL and what it was asked.

    What `answers` does not know is answered with 404; the headers of the requests are in `server.headers`.
    """
    asked, headers = [], []
    server.headers = headers

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((f"{self.command} {self.path}", self.headers.get("Content-Type"), body))
            headers.append(dict(self.headers))
            found = answers.get(f"{self.command} {self.path}", (404, "text/plain", b""))
            status, kind, content = (found.pop(0) if len(found) > 1 else found[0]) if isinstance(found, list) else found
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - http.server looks for these names

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{served.server_port}", asked
        finally:
            served.shutdown()
            thread.join()


def drive(answers, *texts):
    samples = Samples()
    with server(answers) as (url, asked), requests.Session() as session:
        outcome = RequestsJourney(parse_requests(texts), samples, threading.Event())(session, url)
    return outcome, samples, asked


JSON = "application/json"


@pytest.mark.parametrize(
    ("expect", "status", "why"),
    [
        ("", 200, None),
        ("", 404, "GET /a answered 404 (if that is the job, say expect=404)"),
        ("", 500, "GET /a answered 500"),
        ("expect=404", 404, None),
        ("expect=404", 200, "GET /a answered 200, not 404"),
        ("expect=4xx", 422, None),
        ("expect=4XX", 422, None),
        ("expect=4xx", 503, "GET /a answered 503, not 4xx"),
        ("expect=2xx|404", 201, None),
        ("expect=2xx|404", 404, None),
        ("expect=2xx|404", 403, "GET /a answered 403, not 2xx|404"),
        ("expect=503", 503, None),
    ],
)
def test_an_answer_is_the_job_where_its_status_is_expected(expect, status, why):
    outcome, samples, _ = drive({"GET /a": (status, "text/plain", b"")}, f"GET /a {expect}")
    assert outcome.ok is (why is None)
    assert samples.first_reason == why


def test_what_an_expected_refusal_says_goes_into_the_next_request():
    answers = {"POST /a": (422, JSON, b'{"error": {"id": 7}}'), "GET /errors/7": (200, "text/plain", b"")}
    outcome, _, asked = drive(answers, "POST /a expect=422 json={}", "GET /errors/{error.id}")
    assert outcome.ok
    assert [what for what, *_ in asked] == ["POST /a", "GET /errors/7"]


def test_an_expected_status_may_also_mean_not_yet():
    answers = {"GET /a": [(404, JSON, b"{}"), (404, JSON, b"{}"), (200, JSON, b"{}")]}
    outcome, _, asked = drive(answers, "GET /a until=200 expect=200|404")
    assert outcome.ok
    assert len(asked) == 3


def test_an_expected_answer_is_no_failed_request_in_the_terms_of_k6():
    with server({"GET /a": (404, "text/plain", b""), "GET /b": (404, "text/plain", b"")}) as (url, _):
        samples = Samples()
        session, _ = timed_session(samples.request)
        with session:
            journey = RequestsJourney(parse_requests(["GET /a expect=4xx", "GET /b"]), samples, threading.Event())
            journey(session, url)
    assert list(samples.status) == [404, 404]
    assert list(samples.went_well) == [1, 0]


def test_names_are_filled_from_the_answers_before():
    outcome, samples, asked = drive(
        {
            "POST /jobs": (202, JSON, b'{"id": "a/b c", "n": 3}'),
            "GET /jobs/a%2Fb%20c": (200, JSON, b'{"status": "DONE"}'),
            "POST /done/3": (200, "text/plain", b"ok"),
        },
        'POST /jobs json={"size": 1}',
        "GET /jobs/{id}",
        'POST /done/{n} json={"id": "{id}", "n": {n}}',
    )
    assert outcome.ok
    assert samples.checks == {"requests answered": [1, 0]}
    assert asked[0] == ("POST /jobs", JSON, b'{"size": 1}')
    assert asked[2] == ("POST /done/3", JSON, b'{"id": "a/b c", "n": 3}')


def test_names_go_into_objects_and_lists_and_come_in_headers_and_forms():
    answer = {"job": {"id": "a&b"}, "items": [{"id": 7}], "token": "s3cret", "all": [1, "x"]}
    outcome, samples, asked = drive(
        {
            "POST /jobs": (200, JSON, json.dumps(answer).encode()),
            "PUT /a%26b/7": (200, "text/plain", b""),
            "POST /b": (200, "text/plain", b""),
        },
        "POST /jobs",
        """PUT /{job.id}/{items.0.id} header="Authorization: Bearer {token}" header=X-Kind:'a b' data=k={job.id}&c=2""",
        'POST /b json={"all": {all}, "braces": "{}"}',
    )
    assert outcome.ok, samples.first_failure
    assert asked[1][1:] == ("application/x-www-form-urlencoded", b"k=a%26b&c=2")
    assert server.headers[1]["Authorization"] == "Bearer s3cret"
    assert server.headers[1]["X-Kind"] == "a b"
    assert asked[2][2] == b'{"all": [1, "x"], "braces": "{}"}'


def test_a_header_says_what_the_body_is():
    _, _, asked = drive({}, "POST /a header=content-type:text/csv data=a,b&c")
    assert asked == [("POST /a", "text/csv", b"a,b&c")]


def test_each_job_has_a_number_and_an_id_of_its_own():
    seen = []
    for _ in range(2):
        answers = {"POST /jobs": (200, JSON, b'{"other": 1}'), "POST /again": (200, JSON, b"{}")}
        body = 'json={"key": "{uuid}", "number": {n}}'
        _, _, asked = drive(answers, f"POST /jobs {body}", f"POST /again {body}")
        first, second = (json.loads(content) for *_, content in asked)
        assert first == second
        seen.append(first)
    assert seen[0]["key"] != seen[1]["key"]
    assert seen[0]["number"] != seen[1]["number"]


def test_a_field_of_an_answer_goes_before_a_fresh_value():
    outcome, _, _ = drive(
        {"GET /a": (200, JSON, b'{"uuid": "its own"}'), "GET /its%20own": (200, JSON, b"{}")}, "GET /a", "GET /{uuid}"
    )
    assert outcome.ok


def test_files_are_uploaded_with_the_fields_of_a_form(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG picture")
    (tmp_path / "b.unknown").write_bytes(b"more")
    _, _, asked = drive(
        {}, f"POST /a file=@{tmp_path}/a.png file=second@{tmp_path}/b.unknown data=name=n+m&empty=&number={{n}}"
    )
    ((_, kind, body),) = asked
    assert kind.startswith("multipart/form-data; boundary=")
    assert b'name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG picture' in body
    assert b'name="second"; filename="b.unknown"\r\nContent-Type: application/octet-stream' in body
    assert b'name="name"\r\n\r\nn m' in body
    assert b'name="empty"\r\n\r\n\r\n' in body


@pytest.mark.parametrize(
    ("until", "states", "questions"),
    [
        ("until=job.state=DONE", [b'{"job": {"state": "PENDING"}}'] * 2 + [b'{"job": {"state": "DONE"}}'], 3),
        ("until=state=DONE|FAILED", [b'{"state": "PENDING"}', b'{"state": "FAILED"}'], 2),
        ("until=done=true", [b'{"done": false}', b'{"done": true}'], 2),
    ],
)
def test_an_answer_is_waited_for(until, states, questions):
    outcome, samples, asked = drive(
        {"GET /a": [(200, JSON, state) for state in states], "GET /b": (200, JSON, b"{}")}, f"GET /a {until}", "GET /b"
    )
    assert outcome.ok, samples.first_failure
    assert [path for path, *_ in asked] == ["GET /a"] * questions + ["GET /b"]


def test_a_status_is_waited_for():
    outcome, _, asked = drive(
        {"GET /a": [(202, JSON, b"{}"), (202, JSON, b"{}"), (200, JSON, b"{}")]}, "GET /a until=200"
    )
    assert outcome.ok
    assert len(asked) == 3


def test_a_wait_ends_at_a_failure_at_a_field_that_is_not_there_and_when_it_takes_too_long(monkeypatch):
    for within_s, states, why in [
        (60, [(200, JSON, b'{"status": "RUNNING"}'), (500, JSON, b"{}")], "GET /a answered 500"),
        (60, [(200, JSON, b'{"state": 1}')], "the answer has no 'status' (keys there were: state)"),
        (0.1, [(200, JSON, b'{"status": "RUNNING"}')], "GET /a until=status=DONE said 'RUNNING' for 0 s"),
    ]:
        monkeypatch.setattr(templates, "POLL_WITHIN_S", within_s)
        outcome, samples, _ = drive({"GET /a": states}, "GET /a until=status=DONE")
        assert not outcome.ok
        assert why in samples.first_failure


def test_a_wait_is_cut_short_with_its_run():
    cut = threading.Event()
    journey = RequestsJourney(parse_requests(["GET /a until=status=DONE"]), Samples(), cut)
    with server({"GET /a": (200, JSON, b'{"status": "RUNNING"}')}) as (url, _), requests.Session() as session:
        threading.Timer(0.1, cut.set).start()
        with pytest.raises(CutShortError):
            journey(session, url)


def test_a_name_that_no_answer_has_is_said_with_those_there_were():
    outcome, samples, asked = drive({"GET /a": (200, JSON, b'{"b": 1, "a": 2}')}, "GET /a", "GET /jobs/{id}")
    assert not outcome.ok
    assert len(asked) == 1
    assert samples.first_failure == (
        "requests answered: GET /jobs/{id} needs {id}, which no JSON answer before it has (keys there were: a, b)"
    )


def test_a_path_into_an_answer_that_does_not_have_it_is_said():
    _, samples, _ = drive({"GET /a": (200, JSON, b'{"job": {"key": 1}}')}, "GET /a", "GET /jobs/{job.id}")
    assert "needs {job.id}, which no JSON answer before it has (keys there were: job, job.key)" in samples.first_failure


@pytest.mark.parametrize("content", [b"[1]", b"{", b'"x"'])
def test_an_answer_that_is_no_json_object_gives_no_names(content):
    _, samples, _ = drive({"GET /a": (200, JSON, content)}, "GET /a", "GET /{id}")
    assert "keys there were: none" in samples.first_failure


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_error_fails_the_job_and_ends_it(status):
    outcome, samples, asked = drive({"GET /a": (status, JSON, b"{}")}, "GET /a", "GET /b")
    assert not outcome.ok
    assert len(asked) == 1
    assert samples.first_failure.startswith(f"requests answered: GET /a answered {status}")
    answer = samples.first_failed_answer
    assert (answer.status, answer.bytes, answer.body) == (status, 2, "{}")


def test_virtual_users_drive_requests():
    with server({"GET /a": (200, JSON, b"{}")}) as (url, asked), virtual_users(url, 2, requests=["GET /a"]) as users:
        summary = users.run(iterations=10)
    assert summary.iterations == len(asked) == 10
    assert summary.ok


def test_a_journey_and_requests_exclude_each_other():
    with pytest.raises(UsageError, match="not both"), virtual_users("http://x", journey="a:b", requests=["GET /a"]):
        pass
