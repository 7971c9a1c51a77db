"""What the driver of a check remembers of the first job that failed."""

from types import SimpleNamespace

import pytest

from labserver.diagnosis.measure.driver import UsersDriver
from labserver.diagnosis.measure.options import CheckOptions
from labserver.load.answer import Answer
from labserver.load.metrics import Check

TRACEBACK = "Traceback (most recent call last):\n  File x\nKeyError: 'DSN'\n"
NOT_FOUND, BROKEN = Answer(404, "NOT FOUND", 0, ""), Answer(500, "INTERNAL SERVER ERROR", 0, "")


class Process:
    """A process that prints something each time it is asked what it has printed."""

    def __init__(self, *prints):
        self.prints, self.looks = list(prints), 0

    def overhear(self):
        said = []

        def since():
            self.looks += 1
            said.extend(self.prints[:1])
            del self.prints[:1]
            return "".join(said)

        return since


class Silent:
    def overhear(self):
        return None


def driver(process, *failures):
    """One whose runs fail in turn: why, and with which answer."""
    made = UsersDriver(CheckOptions("shop:app"), process, 0.0, lambda _: None)
    runs = iter(failures)

    def run(iterations):
        why, answer = next(runs)
        checks = {"requests answered": Check(0, iterations) if why else Check(iterations, 0)}
        return SimpleNamespace(iterations=iterations, checks=checks, first_reason=why, first_failed_answer=answer)

    made.users = SimpleNamespace(run=run)
    return made


def test_a_traceback_that_is_logged_after_the_answer_is_waited_for():
    load = driver(Process("", "", TRACEBACK), ("GET / answered 500", BROKEN))
    assert load.drive(5) == 0
    assert load.first_failure.why == "GET / answered 500"
    assert load.first_failure.answer is BROKEN
    assert load.first_failure.output[-1] == "KeyError: 'DSN'"


def test_nothing_is_waited_for_where_the_client_is_at_fault():
    process = Process("not found\n", TRACEBACK)
    load = driver(process, ("GET / answered 404", NOT_FOUND))
    load.drive(5)
    assert process.looks == 1
    assert load.first_failure.output == ("not found",)


def test_the_first_failure_of_a_phase_stays_until_the_next_phase():
    load = driver(Process(), ("A:\n\x1b[31mb", NOT_FOUND), ("second", NOT_FOUND), (None, None), ("third", NOT_FOUND))
    load.drive(5)
    load.drive(5)
    assert load.first_failure.why == "A: b"
    load.begin("measuring")
    assert load.first_failure is None
    load.drive(5)
    assert load.first_failure is None
    load.drive(5)
    assert load.first_failure.why == "third"


@pytest.mark.parametrize("answer", [BROKEN, None])
def test_of_a_service_that_runs_already_there_is_no_output(answer):
    load = driver(Silent(), ("GET / failed", answer))
    load.drive(5)
    assert load.first_failure.output is None
