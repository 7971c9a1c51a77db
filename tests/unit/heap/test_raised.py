import functools
import json
import traceback

import pytest

from labserver.heap.raised import raised_in


class Company:
    @property
    def short(self):
        return self.name[:3]  # there is no name

    def long(self):
        return int("no number")

    @classmethod
    def registered(cls):
        raise LookupError


def caught(function):
    try:
        function()
    except Exception as error:  # noqa: BLE001
        return error


@pytest.mark.parametrize(
    ("failing", "where"),
    [
        (lambda: Company().short, "Company.short"),
        (lambda: Company().long(), "Company.long"),
        (Company.registered, "Company.registered"),
        (functools.partial(sorted, [2, 1], key=lambda n: 1 / (n - 1)), "<lambda>"),
    ],
)
def test_the_innermost_function_is_named_with_its_line(failing, where):
    error = caught(failing)
    line = traceback.extract_tb(error.__traceback__)[-1].lineno
    found = raised_in(error)
    assert where in found
    assert found.endswith(f"test_raised.py:{line})")


def test_a_librarys_error_is_that_of_the_line_that_called_it():
    error = caught(lambda: json.loads("{"))
    assert "test_a_librarys_error_is_that_of_the_line_that_called_it" in raised_in(error)


@pytest.mark.parametrize(
    "other",
    [ValueError("never raised"), "text", ValueError, None, object()],
    ids=["one that was made", "a text", "a class", "nothing", "an object"],
)
def test_all_else_was_raised_nowhere(other):
    assert raised_in(other) is None


def test_no_code_of_the_exceptions_class_runs():
    class LoudError(Exception):
        @property
        def __traceback__(self):
            raise AssertionError

        def __getattribute__(self, name):
            raise AssertionError(name)

    def fail():
        raise LoudError

    assert "fail (" in raised_in(caught(fail))
