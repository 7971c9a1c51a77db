"""Whole suites under `pytest --leak-check`, in sessions of their own, as a user meets it; their heaps are small."""

import json
import re
from xml.etree import ElementTree as ET

import pytest
from _pytest import unittest as pytest_unittest

pytest_plugins = ["pytester"]

# The runs of these tests keep for ever what they keep: it need not be waited for.
NOTHING_EXPIRES = """
import functools
from labserver.diagnosis.measure.heuristics import Expiry, Heuristics
from labserver.plugins import pytest_suite

heuristics = Heuristics(expiry=Expiry(patience_s=0.0))
pytest_suite.leak_check = functools.partial(pytest_suite.leak_check, heuristics=heuristics)
"""
OPTIONS = ("-p", "no:randomly", "-p", "no:schemathesis", "--strict-markers")


@pytest.fixture
def run(pytester):
    def run(code, *arguments, **outcomes):
        pytester.makeconftest(NOTHING_EXPIRES)
        pytester.makepyfile(test_shop=code)
        result = pytester.runpytest_subprocess(*OPTIONS, "--leak-check", *arguments)
        if outcomes:
            result.assert_outcomes(**outcomes)
        return result

    return run


def answers_of(pytester, folder="answers"):
    lines = (pytester.path / folder / "leak-check.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["test"].partition("::")[2]: line for line in map(json.loads, lines)}


def test_what_outlives_every_run_is_found_and_named_in_every_report(run, pytester):
    result = run(
        """
        import functools
        import unittest

        import pytest

        KEPT = []

        class Shop:
            sold = []

            @functools.lru_cache(maxsize=None)
            def price(self):
                return bytes(3000)

        @pytest.fixture(scope="session")
        def store():
            return {"log": []}

        @pytest.fixture
        def entry(store):
            return bytes(3000)

        @pytest.mark.parametrize("size", [3000])
        def test_module_list(size):
            KEPT.append(bytes(size))

        def test_class_attribute():
            Shop.sold.append(bytes(3000))

        def test_cached_method():
            Shop().price()

        def test_session_fixture(store, entry):
            store["log"].append(entry)

        class TestCases(unittest.TestCase):
            def setUp(self):
                self.cart = []

            def test_method(self):
                self.cart.append(bytes(3000))
                KEPT.append(self.cart)

            def test_nothing(self):
                self.cart.append(bytes(3000))
                assert len(self.cart) == 1
        """,
        "--leak-check-json=answers",
        "--leak-check-html=pages/leaks.html",
        "--junitxml=junit.xml",
        failed=5,
        passed=1,
    )
    answers = answers_of(pytester)
    assert {name: answer["holder"] for name, answer in answers.items()} == {
        "test_module_list[3000]": "test_shop.KEPT",
        "test_class_attribute": "test_shop.Shop.sold",
        "test_cached_method": "test_shop.Shop.price",
        "test_session_fixture": "(fixtures).store['log']",
        "TestCases::test_method": "test_shop.KEPT",
        "TestCases::test_nothing": None,
    }
    assert [answer["verdict"] for answer in answers.values()] == ["leak"] * 5 + ["no-leak"]
    for name, line in {"test_module_list[3000]": 25, "test_cached_method": 13, "test_session_fixture": 21}.items():
        assert f".py:{line} in " in answers[name]["allocated_at"]
        low, high = answers[name]["bytes_per_run"]["low"], answers[name]["bytes_per_run"]["high"]
        assert 512 < low < high
    # The terminal: the page, file and line as editors know them, the table, and pytest's own summary.
    result.stdout.fnmatch_lines(
        [
            "LEAK  test_module_list?3000? keeps *",
            "*.py:25: LEAK: keeps * B of every run, held by *KEPT",
            "* leak check *",
            "LEAK * *.py::test_*",
            "NO LEAK * *.py::TestCases::test_nothing",
            "Of 6 checks, 5 leak, 1 keeps nothing; * s.",
            "FAILED *::test_module_list?3000? - LEAK: keeps *",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    # JUnit
    cases = {case.get("name"): case for case in ET.parse(pytester.path / "junit.xml").iter("testcase")}
    case = cases["test_session_fixture"]
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert properties["leak_check"] == "leak"
    assert properties["leak_check_holder"] == "(fixtures).store['log']"
    assert float(properties["leak_check_bytes_per_run"]) > 3000
    assert case.find("failure").get("message").startswith("LEAK: keeps")
    # The page
    page = (pytester.path / "pages/leaks.html").read_text(encoding="utf-8")
    assert page.count("<iframe") == page.count('href="#result-') == 5
    assert not re.search(r'(?:src|href)="(?!#)', page)
    # Each result
    assert len(list((pytester.path / "answers").glob("*.json"))) == 6


CLEAN = """
import logging
import os
import unittest.mock
import warnings

import pytest

log = logging.getLogger("shop")
PRICES = {}

@pytest.fixture(scope="session")
def shelf():
    return {}

@pytest.fixture
def place(shelf, request):
    request.addfinalizer(shelf.clear)
    shelf["a"] = 1
    return shelf

def test_caplog(caplog):
    log.warning("sold %s", "x" * 2000)
    assert len(caplog.records) == 1

def test_capsys(capsys):
    print("y" * 2000)
    assert capsys.readouterr().out == "y" * 2000 + "\\n"
    print("z" * 2000)

def test_capfd(capfd):
    os.write(1, b"y" * 2000)
    assert capfd.readouterr().out == "y" * 2000
    os.write(1, b"z" * 2000)

def test_monkeypatch(monkeypatch):
    monkeypatch.setenv("SHOP", "x" * 2000)
    monkeypatch.setitem(PRICES, "apple", bytes(2000))
    monkeypatch.setattr(os, "sep", "!")

def test_mock():
    with unittest.mock.patch("os.getcwd") as getcwd:
        os.getcwd()
        getcwd.assert_called_once_with()

def test_warns(recwarn):
    warnings.warn("old" * 500, DeprecationWarning)
    assert len(recwarn) == 1

def test_notes(record_property, place):
    record_property("sold", "x" * 2000)
    print("y" * 2000)
    log.warning("sold %s", "x" * 2000)
    warnings.warn("old" * 500)
"""


@pytest.mark.parametrize(("setup", "capture"), [("each", "fd"), ("once", "fd"), ("once", "no")])
def test_what_pytest_keeps_of_a_test_is_no_leak_of_it(run, pytester, setup, capture):
    result = run(
        CLEAN,
        f"--leak-check-fixtures={setup}",
        f"--capture={capture}",
        "--leak-check-json=answers",
        "--junitxml=junit.xml",
        passed=7,
    )
    assert {name: answer["verdict"] for name, answer in answers_of(pytester).items()} == dict.fromkeys(
        ["test_caplog", "test_capsys", "test_capfd", "test_monkeypatch", "test_mock", "test_warns", "test_notes"],
        "no-leak",
    )
    assert len(result.stdout.str()) < 30_000  # what hundreds of runs print and warn of is not shown
    cases = {case.get("name"): case for case in ET.parse(pytester.path / "junit.xml").iter("testcase")}
    assert [one.get("value")[:1] for one in cases["test_notes"].iter("property") if one.get("name") == "sold"] == ["x"]


def test_the_directories_of_further_runs_are_removed(run, pytester):
    run(
        """
        def test_writes(tmp_path):
            (tmp_path / "new").mkdir()
        """,
        "--leak-check-max-jobs=20",
        "--basetemp=temporary",
        passed=1,
    )
    made = [one for one in (pytester.path / "temporary").iterdir() if one.is_dir() and not one.is_symlink()]
    (left,) = made
    assert (left / "new").is_dir()


def test_what_cannot_be_repeated_is_named_and_fails_as_it_did_before_or_not_at_all(run, pytester):
    result = run(
        """
        import itertools
        import time
        import unittest

        import pytest

        NUMBERS, VISITS, TEARDOWNS = itertools.count(), itertools.count(), itertools.count()

        @pytest.fixture
        def broken():
            raise ValueError("no shop")

        @pytest.fixture
        def ends_badly():
            yield
            if next(TEARDOWNS) == 0:
                raise ValueError("still open")

        def test_only_once():
            assert next(NUMBERS) == 0

        def test_skips_itself():
            if next(VISITS) > 0:
                pytest.skip("sold out")

        def test_slow():
            time.sleep(0.3)

        class TestCases(unittest.TestCase):
            def test_parts(self):
                for part in range(3):
                    with self.subTest(part=part):
                        pass

        @pytest.mark.skip
        def test_skipped():
            pass

        @pytest.mark.xfail
        def test_fails_as_expected():
            assert False

        @pytest.mark.xfail
        def test_passes_against_expectation():
            pass

        def test_fails():
            assert False

        def test_setup_fails(broken):
            pass

        def test_teardown_fails(ends_badly):
            pass
        """,
        "--leak-check-seconds=5",
        "--leak-check-json=answers",
    )
    outcomes = result.parseoutcomes()
    assert outcomes == outcomes | {"failed": 1, "errors": 2, "skipped": 1, "xfailed": 1, "xpassed": 1}
    reports_parts = (
        {"TestCases::test_parts": "reports-itself"} if hasattr(pytest_unittest.TestCaseFunction, "addSubTest") else {}
    )
    answers = answers_of(pytester)
    assert {name: answer["why"]["kind"] for name, answer in answers.items() if answer["why"]} == reports_parts | {
        "test_only_once": "fails-again",
        "test_skips_itself": "fails-again",
        "test_slow": "slow",
        "test_teardown_fails": "fails-again",
    }
    result.stdout.fnmatch_lines(
        [
            "*ValueError: still open",
            "NOT JUDGED * *::test_only_once",
            "*cannot be repeated: the call of another run ends at *.py:20: assert 1 == 0*",
            "*the call of another run ends at *.py:24: Skipped: sold out",
            "*A run takes * s: * fit into 5 s, and fewer than 40 say nothing. Give it --leak-check-seconds *.",
            "Of 5 checks, * not judged*",
        ]
    )


def test_what_grows_by_the_repetition_alone_is_named_and_not_failed(run, pytester):
    code = """
        import unittest.mock

        import pytest

        KEPT = []

        @pytest.fixture
        def cart():
            return {"items": []}

        @pytest.fixture(scope="module")
        def mailer():
            return unittest.mock.MagicMock()

        REGISTRY = []

        @pytest.fixture
        def registry():
            yield REGISTRY
            REGISTRY.clear()

        def test_registry(registry):
            registry.append(bytes(3000))

        class TestCart:
            kept = None

            def test_cart(self, cart):
                self.kept = (self.kept, bytes(2000))
                cart["items"].append(bytes(2000))

        def test_mailer(mailer):
            mailer.send("x" * 2000)

        def test_both(mailer):
            mailer.send("x" * 2000)
            KEPT.append(bytes(3000))
        """
    run(code, "--leak-check-fixtures=once", "--leak-check-json=once", passed=3, failed=1)
    once = answers_of(pytester, "once")
    assert {name: answer["verdict"] for name, answer in once.items()} == {
        "test_registry": "not-judged",
        "TestCart::test_cart": "not-judged",
        "test_mailer": "not-judged",
        "test_both": "leak",
    }
    assert once["test_registry"]["why"] == {"kind": "fixtures-once", "holder": "test_shop.REGISTRY"}
    assert once["TestCart::test_cart"]["why"]["kind"] == "fixtures-once"
    assert once["test_mailer"]["why"]["kind"] == "mock-calls"
    assert once["test_mailer"]["why"]["holder"].startswith("(fixtures).mailer.")
    assert once["test_both"]["holder"].endswith(".KEPT")
    result = run(code, "--leak-check-json=each", "--leak-check-only=test_cart", passed=4)
    assert {name: answer["verdict"] for name, answer in answers_of(pytester, "each").items()} == {
        "TestCart::test_cart": "no-leak"
    }
    result.stdout.fnmatch_lines(["NO LEAK * *::TestCart::test_cart"])


def test_an_undecided_test_passes_and_is_listed(run):
    # What is kept swings by so much that in so few runs nobody can tell whether it grows.
    result = run(
        """
        import random
        import time

        LATEST = []

        def test_slow():
            time.sleep(0.02)
            LATEST[:] = [bytes(random.randrange(2_000_000))]
        """,
        "--leak-check-seconds=4",
        passed=1,
    )
    result.stdout.fnmatch_lines(
        [
            "UNDECIDED * *::test_slow",
            "*Undecided after * Next: the same with --leak-check-seconds *",
            "Of 1 check, *",
        ]
    )


LEAKY = """
KEPT = []

def test_a_keeps():
    KEPT.append(bytes(3000))

def test_b_keeps_nothing():
    pass

def test_c_keeps_nothing():
    pass
"""


def test_it_goes_with_x_and_with_lf(run):
    first = run(LEAKY, "-x", failed=1)
    first.stdout.fnmatch_lines(["Of 1 check, 1 leaks; *", "*stopping after 1 failures*"])
    again = run(LEAKY, "--lf", "--leak-check-only=test_b", failed=0, passed=1)
    again.stdout.fnmatch_lines(["No test was checked: none passed of those that were wanted."])


def test_workers_judge_and_the_controller_has_the_table(run, pytester):
    result = run(
        LEAKY,
        "-n2",
        "--leak-check-json=answers",
        "--leak-check-html=leaks.html",
        "--junitxml=junit.xml",
        failed=1,
        passed=2,
    )
    answers = answers_of(pytester)
    assert {name: answer["verdict"] for name, answer in answers.items()} == {
        "test_a_keeps": "leak",
        "test_b_keeps_nothing": "no-leak",
        "test_c_keeps_nothing": "no-leak",
    }
    result.stdout.fnmatch_lines(
        [
            "LEAK  test_a_keeps keeps *",
            "*.py:4: LEAK: keeps *",
            "LEAK * *.py::test_a_keeps",
            "Of 3 checks, 1 leaks, 2 keep nothing; *",
        ]
    )
    assert (pytester.path / "leaks.html").read_text(encoding="utf-8").count("<iframe") == 1
    values = [one.get("value") for one in ET.parse(pytester.path / "junit.xml").iter("property")]
    assert values.count("no-leak") == 2


@pytest.mark.parametrize("workers", [(), ("-n1",)])
def test_a_pattern_that_matches_nothing_is_one_sentence(run, workers):
    result = run(LEAKY, "--leak-check-only=test_b_keep_nothing", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = [line for line in result.outlines + result.errlines if "matches none" in line]
    assert len(told) == 1
    assert re.search(
        r"--leak-check-only 'test_b_keep_nothing' matches none of 3 tests\. Is it \S+\.py::test_b_keeps_nothing\?$",
        told[0],
    )
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--leak-check-tolerance=-3", "leak_check_tolerance is -3.0: it must be more than 0."),
        (
            "--leak-check-seconds=soon",
            "leak_check_seconds is 'soon': give a duration, such as 40 or 40s for seconds, 10m or 2h.",
        ),
        ("--leak-check-seconds=0", "leak_check_seconds is 0.0: it must be more than 0."),
        ("--leak-check-max-jobs=2.5", "leak_check_max_jobs is '2.5': it must be a whole number."),
    ],
)
def test_an_option_that_makes_no_sense_is_one_sentence(run, option, sentence):
    result = run(LEAKY, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[-2:] == [f"ERROR: {sentence}", ""] or f"ERROR: {sentence}" in result.errlines


def test_the_configuration_file_has_the_same_options(pytester):
    pytester.makeconftest(NOTHING_EXPIRES)
    pytester.makepyfile(test_shop=LEAKY)
    pytester.makeini(
        """
        [pytest]
        leak_check = true
        leak_check_only =
            test_a
            *::test_b*
        leak_check_fixtures = once
        leak_check_seconds = 20
        leak_check_tolerance = 600
        leak_check_max_jobs = 3000
        leak_check_fast = true
        leak_check_html = leaks.html
        leak_check_json = answers
        """
    )
    result = pytester.runpytest_subprocess(*OPTIONS)
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(["leak check: *, fixtures set up once, 20 s a test"])
    answers = answers_of(pytester)
    assert {name: answer["tolerance_bytes_per_run"] for name, answer in answers.items()} == {
        "test_a_keeps": 600,
        "test_b_keeps_nothing": 600,
    }
    assert (pytester.path / "leaks.html").exists()
    without = pytester.runpytest_subprocess(*OPTIONS, "--no-leak-check")
    without.assert_outcomes(passed=3)
    assert "leak check" not in without.stdout.str()


def test_a_test_that_checks_by_itself_is_in_the_table_and_not_repeated(run):
    result = run(
        """
        import pytest

        CALLS = []

        @pytest.mark.leak_check(fast=True)
        def test_marked():
            pass

        def test_calls(leak_check):
            CALLS.append(1)
            leak_check(lambda: None, fast=True)
            leak_check(lambda: None, fast=True)
            assert len(CALLS) == 1
        """,
        passed=2,
    )
    result.stdout.fnmatch_lines_random(
        ["NO LEAK * *::test_marked", "NO LEAK * *::test_calls", "NO LEAK * *::test_calls, check 2"]
    )


def test_coroutines_are_repeated_by_the_plugin_that_runs_them(run, pytester):
    run(
        """
        import pytest

        KEPT = []
        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        async def test_keeps():
            KEPT.append(bytes(3000))

        async def test_keeps_nothing():
            pass
        """,
        "--leak-check-json=answers",
        failed=1,
        passed=1,
    )
    assert {name: answer["verdict"] for name, answer in answers_of(pytester).items()} == {
        "test_keeps": "leak",
        "test_keeps_nothing": "no-leak",
    }


def test_the_time_limit_of_a_run_is_none_of_the_check(run):
    result = run(
        """
        import time

        def test_takes_a_while():
            time.sleep(0.02)
        """,
        "--timeout=1",
        passed=1,
    )
    result.stdout.fnmatch_lines(["NO LEAK * *::test_takes_a_while"])
