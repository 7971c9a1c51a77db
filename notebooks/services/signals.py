"""Orders that are announced by a signal (blinker), with a new receiver for every request.

What is wrong: the receiver is connected inside the request, and `weak=False` makes the signal keep it, together with
the order that its closure holds. Every request adds one more, and every order is announced to all receivers before it.

The fix: connect one receiver when the application is made, and hand it the order as an argument of `send`.
"""

from blinker import Signal
from flask import Flask

PLACED = Signal("an order was placed")


def create_app() -> Flask:
    """The shop."""
    app = Flask(__name__)

    @app.get("/work")
    def place_order() -> dict[str, int]:
        order = {"lines": ["apples", "pears"], "note": bytes(2000)}

        def confirm(_: object) -> None:
            order["confirmed"] = True

        PLACED.connect(confirm, weak=False)
        PLACED.send(app)
        return {"receivers": len(PLACED.receivers)}

    return app
