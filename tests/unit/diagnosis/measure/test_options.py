import pytest

from labserver.diagnosis.measure.options import CheckOptions, validate
from labserver.errors import UsageError

GOOD = {"target": "shop:app", "requests": ("GET /work",)}


def test_the_defaults_are_allowed():
    validate(CheckOptions(**GOOD))
    validate(CheckOptions("shop.app:create", journey="load.orders:one"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"target": "shop"}, "is no target"),
        ({"requests": ()}, "Say what a job is"),
        ({"journey": "a:b"}, "Say what a job is"),
        ({"requests": ("work",)}, "is no request"),
        ({"requests": (), "journey": "load"}, "is no journey"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"confidence": float("nan")}, "confidence is nan"),
        ({"tolerance": 0}, "tolerance is 0"),
        ({"max_seconds": float("inf")}, "max_seconds is inf"),
        ({"max_jobs": 0}, "max_jobs is 0"),
        ({"users": -1}, "users is -1"),
        ({"max_jobs": 2.5}, "max_jobs is 2.5: it must be a whole number"),
        ({"tolerance": "1 kB"}, "tolerance is .1 kB.: it must be a number"),
        ({"settle_s": -1}, "settle is -1"),
        ({"settle_s": 300}, "settle is 300"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(change, sentence):
    with pytest.raises(UsageError, match=sentence):
        validate(CheckOptions(**{**GOOD, **change}))
