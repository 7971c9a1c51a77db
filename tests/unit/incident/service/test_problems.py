import pytest
from flask import Flask
from werkzeug.exceptions import TooManyRequests

from labserver.incident.service.problems import Problem, register_problems


@pytest.fixture
def client():
    app = Flask("test_problems")
    register_problems(app)

    @app.get("/mine")
    def mine():
        raise Problem(409, "/problems/x", "An X", "What to do.", headers={"Retry-After": "3"})

    @app.get("/bug")
    def bug():
        raise ZeroDivisionError("a secret")

    @app.get("/werkzeug")
    def werkzeug():
        raise TooManyRequests(retry_after=7)

    return app.test_client()


def test_a_problem_has_the_five_parts_of_the_standard(client):
    answer = client.get("/mine")
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True) == {
        "type": "/problems/x",
        "title": "An X",
        "status": 409,
        "detail": "What to do.",
    }
    assert answer.headers["Retry-After"] == "3"


@pytest.mark.parametrize(
    ("path", "status", "title"), [("/nowhere", 404, "Not Found"), ("/werkzeug", 429, "Too Many Requests")]
)
def test_the_frameworks_errors_have_the_same_shape(client, path, status, title):
    answer = client.get(path)
    assert answer.content_type == "application/problem+json"
    body = answer.get_json(force=True)
    assert (answer.status_code, body["status"], body["title"], body["type"]) == (status, status, title, "about:blank")


def test_the_frameworks_headers_are_kept(client):
    assert client.get("/werkzeug").headers["Retry-After"] == "7"


def test_a_405_says_what_is_allowed(client):
    answer = client.post("/mine")
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


def test_a_bug_is_logged_and_not_told(client, caplog):
    answer = client.get("/bug")
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert b"secret" not in answer.data
    assert b"ZeroDivision" not in answer.data
    assert "a secret" in caplog.text
