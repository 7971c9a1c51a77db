"""A service that announces orders and makes thumbnails as the others do, and gives everything back.

It connects one receiver once, and keeps thumbnails in a cache that is bounded and keyed by what they show.
"""

from functools import lru_cache

from blinker import Signal
from flask import Flask
from PIL import Image

app = Flask(__name__)

PLACED = Signal("an order was placed")


@PLACED.connect
def confirm(_: object, order: dict[str, object]) -> None:
    """Confirm an order."""
    order["confirmed"] = True


@lru_cache(maxsize=16)
def thumbnail(name: str) -> Image.Image:
    """The thumbnail of an upload."""
    return Image.new("RGB", (160, 120), name).resize((40, 30))


@app.get("/work")
def work() -> dict[str, object]:
    """Place an order with a picture."""
    order: dict[str, object] = {"note": bytes(2000)}
    PLACED.send(app, order=order)
    return {"confirmed": order["confirmed"], "width": thumbnail("teal").width}
