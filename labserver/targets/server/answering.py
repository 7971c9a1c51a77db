"""Whether a server answers."""

from contextlib import closing
from http.client import HTTPConnection, HTTPException

_ANSWER_S = 5.0
_REFUSED = 400


def answers(host: str, port: int, path: str) -> bool:
    """Whether a GET is answered with less than 400."""
    with closing(HTTPConnection(host, port, timeout=_ANSWER_S)) as connection:
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            return connection.getresponse().status < _REFUSED
        except (OSError, HTTPException):
            return False
