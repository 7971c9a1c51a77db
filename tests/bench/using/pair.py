"""Two applications that do the same work for every request: one keeps what the work gave, the other lets it go."""

import itertools

from flask import Flask

STORE = []
numbers = itertools.count()


def pair(work):
    """The leaky and the clean application; `work(number of the request)` gives an object of a few kilobytes."""
    return application(work, STORE.append), application(work, lambda _: None)


def application(work, finish):
    app = Flask("pair")

    @app.get("/work")
    def answer():
        finish(work(next(numbers)))
        return {"ok": True}

    return app
