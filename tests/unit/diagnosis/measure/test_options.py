import inspect

import pytest

from labserver.diagnosis.measure.in_process import leak_check
from labserver.diagnosis.measure.options import CheckOptions, MeasureKeywords, MeasureOptions, options_of
from labserver.errors import UsageError

GOOD = {"target": "shop:app", "requests": ("GET /work",)}


def test_the_defaults_are_allowed():
    CheckOptions(**GOOD).validate()
    CheckOptions("shop.app:create", journey="load.orders:one").validate()


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
        ({"settle": -1}, "settle is -1"),
        ({"settle": 300}, "settle is 300"),
        ({"attach_timeout": 0}, "attach_timeout is 0"),
        ({"attach_timeout": "10 s"}, "attach_timeout is '10 s': it must be a number"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(change, sentence):
    with pytest.raises(UsageError, match=sentence):
        CheckOptions(**{**GOOD, **change}).validate()


COMMAND = {"command": "python3 -m shop {port}", "requests": ("GET /work",)}


def test_a_command_takes_the_place_of_a_target_and_is_its_name():
    options = CheckOptions(**COMMAND, ready_path="/health")
    options.validate()
    assert options.name == "python3 -m shop {port}"
    assert CheckOptions(**GOOD).name == "shop:app"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"target": "shop:app"}, "--command starts what is checked: leave shop:app out"),
        ({"command": None}, "Say what to check: TARGET"),
        ({"command": "no-such-server"}, "The command no-such-server was not found"),
        ({"command": "python3 'shop"}, "cannot be read"),
        ({"ready_path": "health"}, "it must be a path"),
        ({"command": None, "target": "shop:app", "ready_path": "/"}, "--ready-path goes with --command"),
        ({"requests": ()}, "Say what a job is"),
        ({"requests": (), "observe": 9.0}, "has no traffic of its own"),
    ],
)
def test_what_makes_no_sense_of_a_command_is_refused(change, sentence):
    with pytest.raises(UsageError, match=sentence):
        CheckOptions(**{**COMMAND, **change}).validate()


OBSERVED = {"target": "pid:7", "observe": 600.0}


def test_an_observation_needs_no_job():
    CheckOptions(**OBSERVED).validate()
    CheckOptions("http://127.0.0.1:8000", observe=60.0, every=5.0, sites=True).validate()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"target": "shop:app"}, "no traffic of its own"),
        ({"target": "shop"}, "is no target"),
        ({"requests": ("GET /",)}, "makes no load"),
        ({"journey": "a:b"}, "makes no load"),
        ({"observe": 0.0}, "observe is 0.0"),
        ({"observe": float("inf")}, "observe is inf"),
        ({"every": -1.0}, "every is -1.0"),
        ({"every": 600.0}, "every is 600: it must be less than observe"),
        ({"every": "5 s"}, "every is '5 s': it must be a number"),
        ({"tolerance": 0}, "tolerance is 0"),
        ({"attach_timeout": float("nan")}, "attach_timeout is nan"),
    ],
)
def test_what_makes_no_sense_of_an_observation_is_refused(change, sentence):
    with pytest.raises(UsageError, match=sentence):
        CheckOptions(**{**OBSERVED, **change}).validate()


@pytest.mark.parametrize("change", [{"every": 5.0}, {"sites": True}])
def test_what_belongs_to_an_observation_is_refused_without_one(change):
    with pytest.raises(UsageError, match="goes with --observe"):
        CheckOptions(**{**GOOD, **change}).validate()


def test_an_agent_gets_as_long_as_was_given_unless_none_is_wanted():
    assert CheckOptions(**OBSERVED).attach_s == 10.0
    assert CheckOptions(**OBSERVED, attach_timeout=90.0).attach_s == 90.0
    assert CheckOptions(**OBSERVED, attach_timeout=90.0, no_attach=True).attach_s is None


def test_options_that_are_passed_on_are_those_that_there_are():
    assert MeasureKeywords.__annotations__.keys() == {one.name for one in options_of(MeasureOptions)}


def test_a_function_that_passes_options_on_shows_them_with_their_defaults():
    shown = inspect.signature(leak_check).parameters
    assert {one.name: shown[one.name].default for one in options_of(MeasureOptions)} == {
        one.name: one.default for one in options_of(MeasureOptions)
    }
