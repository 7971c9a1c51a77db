import time

import pytest

from labserver.errors import UsageError
from labserver.incident.service.clock import AdjustableClock


def test_tells_the_real_time_until_it_is_advanced():
    clock, before = AdjustableClock(), time.time()
    assert before <= clock() <= time.time()


def test_advances_add_up():
    clock, before = AdjustableClock(), time.time()
    clock.advance(600)
    clock.advance(0.5)
    assert before + 600.5 <= clock() <= time.time() + 600.5


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_never_goes_back(seconds):
    with pytest.raises(UsageError, match="not by"):
        AdjustableClock().advance(seconds)
