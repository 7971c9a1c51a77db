import threading
import time

import pytest

from labserver.heap.meters import wait_until
from labserver.sampler import Sampler, next_beat


def test_samples_are_taken_on_the_grid_by_a_thread_that_ends_with_the_block():
    taken = []
    before = set(threading.enumerate())
    with Sampler(lambda beat, due: taken.append((beat, due)), interval_s=0.01, name="grid") as sampler:
        assert wait_until(lambda: len(taken) >= 5, timeout_s=60)
        assert sampler.running
    assert set(threading.enumerate()) <= before
    (first, start), *_ = taken
    assert first == 0
    assert [beat for beat, _ in taken] == sorted({beat for beat, _ in taken})
    assert all(due == pytest.approx(start + beat * 0.01) for beat, due in taken)
    assert sampler.missed == taken[-1][0] + 1 - len(taken)


def test_a_block_that_ends_at_once_has_one_sample():
    taken = []
    with Sampler(lambda *beat: taken.append(beat), interval_s=60, name="grid"):
        pass
    assert len(taken) == 1


def test_beats_that_a_slow_sample_covers_are_missed():
    with Sampler(lambda *_: time.sleep(0.05), interval_s=0.01, name="grid") as sampler:
        assert wait_until(lambda: sampler.missed >= 8, timeout_s=60)


def fail(*_):
    raise OSError("the meter broke")


def test_what_a_sample_raises_is_raised_by_the_block_unless_that_has_an_error_of_its_own():
    with pytest.raises(OSError, match="the meter broke"), Sampler(fail, interval_s=0.01, name="grid") as sampler:
        assert wait_until(lambda: not sampler.running, timeout_s=60)
    with pytest.raises(KeyError), Sampler(fail, interval_s=0.01, name="grid"):
        raise KeyError


@pytest.mark.parametrize(
    ("beat", "elapsed_s", "expected"), [(0, 0.0, 1), (0, 0.9, 1), (0, 1.0, 2), (0, 3.5, 4), (7, 6.9, 8)]
)
def test_the_next_beat_is_the_first_that_is_still_to_come(beat, elapsed_s, expected):
    assert next_beat(beat, elapsed_s, 1.0) == expected
