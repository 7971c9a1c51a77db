"""GET with a deadline for the whole body: a service under pressure dribbles, and a monitor must not wait for it."""

import json
import math
import time
from types import TracebackType
from typing import Any, Self

import requests
import urllib3

from labserver.load.http import trusted_certificates

TIMEOUT_S = 5.0
_MOST_BYTES = 16 * 2**20
_BLOCK = 65_536


class NoAnswer(Exception):  # noqa: N818 - a result, and no mistake
    """There was no usable answer; its text says why in some words."""


class Fetcher:
    """One session, so that a sample costs no new connection."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy would be asked in the service's stead
        self._session.verify = trusted_certificates()
        # Formats that are asked for explicitly: Spring Boot and prometheus_client choose by this header.
        self._session.headers["Accept"] = "application/json, text/plain;version=0.0.4;q=0.9, */*;q=0.1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def text(self, url: str) -> str:
        """The body of a 200.

        Raises:
            NoAnswer: there is none, or not in time.
        """
        deadline = time.monotonic() + TIMEOUT_S
        try:
            with self._session.get(url, stream=True, timeout=TIMEOUT_S) as response:
                if response.status_code != requests.codes.ok:
                    raise NoAnswer(f"answered {response.status_code}")
                return _body(response, deadline)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise NoAnswer(f"no answer within {TIMEOUT_S:g} s") from None
        except requests.exceptions.SSLError:
            raise NoAnswer("TLS failed") from None
        except requests.ConnectionError as error:
            raise NoAnswer("connection refused" if "refused" in str(error).lower() else "connection failed") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise NoAnswer(f"broken answer ({type(error).__name__})") from None

    def metric(self, url: str) -> float:
        """The value of one metric of an Actuator.

        Raises:
            NoAnswer: there is none, or it has another shape.
        """
        return metric_value(self.text(url))


def metric_value(text: str) -> float:
    """The value in an Actuator's answer: of its measurements the first one of a kind that says how much there is.

    Raises:
        NoAnswer: it has another shape.
    """
    try:
        document: Any = json.loads(text)
        by_kind = {item["statistic"]: item["value"] for item in document["measurements"]}
        # Micrometer's statistics, those that name an amount.
        value = next(float(by_kind[kind]) for kind in ("VALUE", "TOTAL", "COUNT", "UNKNOWN") if kind in by_kind)
    except (ValueError, KeyError, TypeError, StopIteration):
        raise NoAnswer("malformed answer") from None
    if not math.isfinite(value):
        raise NoAnswer("malformed answer")
    return value


def _body(response: requests.Response, deadline: float) -> str:
    body = bytearray()
    # Whatever has come, where urllib3 can say so (from 2.1 on); otherwise it waits for the whole block.
    read = getattr(response.raw, "read1", response.raw.read)
    while block := read(_BLOCK, decode_content=True):
        body += block
        if time.monotonic() > deadline:
            raise NoAnswer(f"no whole answer within {TIMEOUT_S:g} s")
        if len(body) > _MOST_BYTES:
            raise NoAnswer("an answer of more than 16 MiB")
    return body.decode("utf-8", errors="replace")
