from flask import Flask, Response

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
