import pytest
from flask import Flask, Response

from labserver.diagnosis.failure import JobsFailed
from labserver.load.answer import Answer
from labserver.plugins.wsgi import wsgi_job


def test_an_answer_is_taken_as_a_whole_and_closed():
    app, sent, closed = Flask(__name__), [], []

    def parts():
        for part in ("first", "second", "third"):
            sent.append(part)
            yield part

    @app.get("/stream")
    def stream():
        response = Response(parts())
        response.call_on_close(lambda: closed.append(True))
        return response

    wsgi_job(app, ["GET /stream"])()
    assert sent == ["first", "second", "third"]
    assert closed == [True]


def test_a_job_that_fails_has_the_answer_and_what_the_application_logged():
    def application(environ, start_response):
        environ["wsgi.errors"].write("Traceback (most recent call last):\n  File x\nKeyError: 'DSN'\n")
        start_response("500 Out Of Paper", [("Content-Type", "text/plain")])
        return [b"no paper"]

    with pytest.raises(JobsFailed, match=r"^A job failed: GET /work answered 500\.$") as caught:
        wsgi_job(application, ["GET /work"])()
    failure = caught.value.failure
    assert failure.answer == Answer(500, "Out Of Paper", 8, "no paper")
    assert failure.output[-1] == "KeyError: 'DSN'"
