"""Thumbnails (Pillow), remembered under a key that never comes again.

What is wrong: the cache is keyed by the upload's name *and* the time of the request, so that no lookup ever hits, and
it keeps the decoded image. An image's pixels lie in C memory: neither `sys.getsizeof` nor tracemalloc shows them, and
no list of the largest Python objects names this cache.

The fix: key by content (a digest of the upload), keep the encoded PNG instead of the image, and bound the cache.
"""

import time

from flask import Flask
from PIL import Image

app = Flask(__name__)

CACHE: dict[tuple[str, int], Image.Image] = {}


@app.get("/work")
def thumbnail() -> dict[str, int]:
    """The size of a thumbnail of a photograph."""
    key = ("photo.jpg", time.monotonic_ns())
    if key not in CACHE:
        CACHE[key] = Image.new("RGB", (160, 120), "teal").resize((40, 30))
    image = CACHE[key]
    return {"width": image.width, "height": image.height}
