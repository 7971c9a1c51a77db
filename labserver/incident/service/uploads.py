"""Photographs as they come in: held in memory, and known to be usable before anything is done with them."""

import io
from typing import IO

from flask import Request, request

from labserver.incident.service.face import BadPhoto, check_photo
from labserver.incident.service.problems import Problem

# Two photographs and some small fields; a flood of tiny parts is refused before it is parsed.
MAX_FORM_PARTS = 16


class InMemoryRequest(Request):
    """A request whose uploads stay in memory: they are bounded, and no temporary file can be left behind."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - the signature is werkzeug's
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        return io.BytesIO()


def uploaded_photo(part: str, max_pixels: int) -> bytes:
    """Return an uploaded photograph that is known to be usable.

    Args:
        part: Its part of the current request's form.
        max_pixels: Largest width times height.

    Raises:
        Problem: It is missing (400) or cannot be used (422).
    """
    upload = request.files.get(part)
    data = upload.stream.read() if upload is not None else b""
    if not data:
        raise Problem(
            400,
            "/problems/missing-photo",
            "A photograph is missing",
            f"Send a multipart/form-data body with a file in the part {part!r}.",
        )
    try:
        check_photo(data, max_pixels)
    except BadPhoto as error:
        # 422 and not 415: the request's media type, multipart/form-data, is the right one and its syntax is
        # correct; it is the content of a part that cannot be processed (RFC 9110, 15.5.21).
        raise Problem(
            422, "/problems/bad-photo", "A photograph cannot be used", f"Part {part!r}: {error} Send another one."
        ) from None
    return data
