"""What is sent: uploads whose faces are known beforehand, uploads to refuse, and a way out of a connection."""

import functools
import hashlib
import io
import itertools
import random
import socket
import struct
import zlib
from pathlib import Path

from PIL import Image
from urllib3 import encode_multipart_formdata

import labserver
from labserver.incident.service.face import compose

PHOTOS = Path(labserver.__file__).parent / "load" / "photos"
VARIANTS = 8
SUBMIT = "/api/images/analyze"
TICKET = "X-Ticket"  # numbers the submissions, so that clients and server can be compared one by one
FORGED = "0a3f3c1f1c6f4d0d8d0c6ab0a1d5f3be.aSVUig.hG2sVY1fSCbVvUIHyJ0uK0nVdlk"
_CHUNK = b"\x00\x00\x00\x0dIHDR" + (60_000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
_BOMB = b"\x89PNG\r\n\x1a\n" + _CHUNK + zlib.crc32(_CHUNK[4:]).to_bytes(4)


@functools.cache
def uploads(result_px, max_upload_bytes):
    """Return the same uploads for the same limits: the faces take a while."""
    return Uploads(result_px, max_upload_bytes)


class Uploads:
    """Bodies with their content types.

    Attributes:
        good: One for each pair of photographs.
        faces: What must come of each pair, as a digest; no two are equal.
        bad: By name, what must be refused.
    """

    def __init__(self, result_px, max_upload_bytes):
        pairs = list(itertools.product(_variants("astronaut.jpg"), _variants("photographer.jpg")))
        self.good = [_form(*pair) for pair in pairs]
        self.faces = [digest(compose(*pair, size_px=result_px, max_pixels=10**6)) for pair in pairs]
        assert len(set(self.faces)) == len(pairs)
        one, other = pairs[0]
        self.bad = {
            "an oversized upload": _form(one, bytes(max_upload_bytes)),
            "a truncated photograph": _form(one, other[: len(other) // 2]),
            "a bomb": _form(_BOMB, other),
            "another boundary": (_form(one, other)[0], "multipart/form-data; boundary=another"),
        }


def digest(data):
    return hashlib.sha256(data).digest()


def post(upload, ticket):
    """Return a whole submission as it goes over the wire."""
    body, content_type = upload
    head = f"POST {SUBMIT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n{TICKET}: {ticket}\r\n\r\n".encode() + body


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def leave(connection, rng: random.Random):
    """Close a connection in good order, or break it off so that the server meets a reset."""
    if rng.random() < 0.5:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _form(parent_a, parent_b):
    fields = {"parentA": ("a.jpg", parent_a, "image/jpeg"), "parentB": ("b.jpg", parent_b, "image/jpeg")}
    return encode_multipart_formdata(fields, boundary="hostile")  # always the same: the server compiles one for each


def _variants(name):
    with Image.open(PHOTOS / name) as photo:
        for number in range(VARIANTS):
            corner = 16 * number
            part = photo.convert("RGB").crop((corner, corner, corner + 256, corner + 256)).resize((96, 96))
            out = io.BytesIO()
            part.save(out, "JPEG")
            yield out.getvalue()
