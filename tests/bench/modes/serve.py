"""One route, one counter."""

import itertools
import os

from flask import Flask

SEED = int(os.environ.get("SEED", "0"))


def serve(work):
    """An application whose `GET /work` calls `work(number of the request)`."""
    app, numbers = Flask("mode"), itertools.count()

    @app.get("/work")
    def answer():
        work(next(numbers))
        return {"ok": True}

    return app
