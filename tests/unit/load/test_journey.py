import sys
import threading

import pytest
import requests

from labserver.load.answer import Answer
from labserver.load.journey import PlainJourney
from labserver.load.samples import Samples


@pytest.fixture
def samples():
    return Samples()


def test_somebody_elses_journey(samples):
    calls = []
    journey = PlainJourney(lambda _session, url: calls.append(url), samples, threading.Event())
    assert journey(None, "http://x").ok
    assert calls == ["http://x"]

    def broken(_session, _url):
        raise RuntimeError("out of stock")

    assert not PlainJourney(broken, samples, threading.Event())(None, "http://x").ok
    assert samples.checks == {"journey completed": [1, 1]}
    assert not PlainJourney(lambda *_: sys.exit("sold out"), samples, threading.Event())(None, "http://x").ok
    assert samples.checks == {"journey completed": [1, 2]}
    assert samples.first_failure == "journey completed: RuntimeError: out of stock"


def test_somebody_elses_journey_says_at_which_answer_it_fails(samples):
    def visit(_session, _url):
        response = requests.Response()
        response.status_code, response._content = 503, b"closed"
        response.raise_for_status()

    assert not PlainJourney(visit, samples, threading.Event())(None, "http://x").ok
    assert samples.first_failed_answer == Answer(503, "", 6, "closed")


def test_a_journey_that_fails_without_a_word_says_where(samples):
    line = sys._getframe().f_lineno

    def visit(_session, _url):
        raise AssertionError

    assert not PlainJourney(visit, samples, threading.Event())(None, "http://x").ok
    assert f"(test_journey.py:{line + 3})" in samples.first_failure
