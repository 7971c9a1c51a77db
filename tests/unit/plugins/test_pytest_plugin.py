"""The plugin in pytest sessions and processes of its own, as a user's suite meets it; their heaps are small."""

import json
import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

# The jobs of these tests keep for ever what they keep: it need not be waited for.
NOTHING_EXPIRES = """
import functools
from labserver.diagnosis.measure.heuristics import Expiry, Heuristics
from labserver.plugins import pytest_check

heuristics = Heuristics(expiry=Expiry(patience_s=0.0))
pytest_check.leak_check = functools.partial(pytest_check.leak_check, heuristics=heuristics)
"""
OPTIONS = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:schemathesis")


@pytest.fixture
def run(pytester):
    def run(code, *arguments, **outcomes):
        pytester.makeconftest(NOTHING_EXPIRES)
        pytester.makepyfile(code)
        result = pytester.runpytest_subprocess(*OPTIONS, "--strict-markers", *arguments)
        result.assert_outcomes(**outcomes)
        return result

    return run


def test_a_leak_fails_the_test_and_its_message_names_the_holder(run, pytester):
    result = run(
        """
        KEPT = []

        def test_shop(leak_check):
            leak_check(lambda: KEPT.append(bytes(3000)), fast=True)
        """,
        "--leak-check-json=answers",
        failed=1,
    )
    result.stdout.fnmatch_lines(["LEAK  test_shop keeps *", "*KEPT*", "*test_*.py:4 in test_shop*"])
    assert "Traceback" not in result.stdout.str()
    (answer,) = (pytester.path / "answers").iterdir()
    assert json.loads(answer.read_text())["verdict"] == "leak"


def test_a_marked_test_is_repeated_with_the_fixtures_that_were_set_up_once(run):
    result = run(
        """
        import pytest

        SETUPS = []

        @pytest.fixture
        def store():
            SETUPS.append(1)
            return {}

        @pytest.mark.leak_check(tolerance=300)
        @pytest.mark.parametrize("size", [3000])
        def test_keeps(store, size):
            store[len(store)] = bytes(size)

        def test_once():
            assert len(SETUPS) == 1
        """,
        failed=1,
        passed=1,
    )
    result.stdout.fnmatch_lines(["LEAK  test_keeps?3000? keeps *", "*(test_keeps?3000?)*", "*partial keyword store*"])


def test_what_keeps_nothing_passes_also_when_pytest_collects_what_it_says(run):
    run(
        """
        import logging
        import warnings

        import pytest

        @pytest.mark.leak_check
        def test_noisy(caplog):
            logging.getLogger("shop").warning("sold %s", "x" * 2000)
            warnings.warn("old" * 500, DeprecationWarning)
            print("y" * 2000)

        def test_logs_are_collected_again(caplog):
            logging.getLogger("shop").warning("sold")
            assert caplog.messages == ["sold"]
        """,
        "--capture=sys",
        passed=2,
        warnings=0,
    )


def test_a_body_that_fails_fails_as_any_test_does(run):
    result = run(
        """
        import pytest

        @pytest.mark.leak_check
        def test_marked():
            total = 3
            assert total == 4

        def test_called(leak_check):
            leak_check(lambda: {}["missing"])
        """,
        failed=2,
    )
    result.stdout.fnmatch_lines(["E*assert 3 == 4", "E*KeyError: 'missing'"])


def test_a_marked_method_of_a_test_case_is_repeated_between_one_setup_and_one_teardown(run):
    result = run(
        """
        import unittest

        import pytest

        CALLS = []

        class Shop(unittest.TestCase):
            def setUp(self):
                self.kept = []
                CALLS.append("setUp")

            def tearDown(self):
                CALLS.append("tearDown")

            @pytest.mark.leak_check(fast=True)
            def test_a_keeps(self):
                self.kept.append(bytes(3000))

            @pytest.mark.leak_check(fast=True)
            def test_b_keeps_nothing(self):
                self.assertEqual(len(bytes(3000)), 3000)

            @pytest.mark.leak_check
            def test_c_fails(self):
                self.assertEqual(len(self.kept), 1)

            @pytest.mark.leak_check
            @unittest.skip("closed")
            def test_d_skipped(self):
                CALLS.append("body")

            def test_e_unmarked(self):
                self.assertEqual(CALLS, 3 * ["setUp", "tearDown"] + ["setUp"])

        class Later(unittest.IsolatedAsyncioTestCase):
            @pytest.mark.leak_check
            async def test_coroutine(self):
                pass
        """,
        failed=3,
        passed=2,
        skipped=1,
    )
    result.stdout.fnmatch_lines(
        [
            "LEAK  test_a_keeps keeps *",
            "*test_a_keeps*kept keeps *",
            "*AssertionError: 0 != 1",
            "The marker leak_check cannot repeat a coroutine*",
        ]
    )


def test_no_answer_is_no_pass(run):
    result = run(
        """
        import pytest

        @pytest.mark.leak_check(max_jobs=20, challenge=0)
        def test_too_few():
            pass
        """,
        failed=1,
    )
    result.stdout.fnmatch_lines(["*test_too_few*", "Undecided after *"])


def test_a_mistake_is_one_sentence(run):
    result = run(
        """
        import pytest

        @pytest.mark.leak_check(tolerence=5)
        def test_misspelt():
            pass

        @pytest.mark.leak_check
        async def test_coroutine():
            pass

        def test_no_figure(leak_check):
            leak_check(print, tolerance=-5)

        def test_no_target(leak_check):
            leak_check("shop", requests=["GET /"])

        def test_no_application(leak_check):
            leak_check("no_such_module:app", requests=["GET /"])
        """,
        failed=5,
    )
    result.stdout.fnmatch_lines(
        [
            "The marker leak_check has a wrong argument: *tolerence*",
            "The marker leak_check cannot repeat a coroutine*",
            "tolerance is -5*",
            "'shop' is no target*",
            "no_such_module cannot be imported*",
        ]
    )
    assert "During handling" not in result.stdout.str()


def test_a_wsgi_application_is_driven_with_requests(run):
    result = run(
        """
        from flask import Flask

        app = Flask(__name__)
        JOBS = {}

        @app.post("/jobs")
        def submit():
            key = f"job {len(JOBS)}"
            JOBS[key] = "x" * 3000 + key
            return {"id": key}

        @app.get("/jobs/<key>")
        def show(key):
            return JOBS[key]

        @app.get("/broken")
        def broken():
            return "no", 503

        def test_leaks(leak_check):
            leak_check(app, requests=["POST /jobs", "GET /jobs/{id}"], fast=True)

        def test_broken(leak_check):
            leak_check(app, requests=["GET /broken"])

        def test_unknown(leak_check):
            leak_check(app, requests=["POST /jobs", "GET /jobs/{key}"])
        """,
        failed=3,
    )
    result.stdout.fnmatch_lines(
        [
            "LEAK  test_leaks keeps *",
            "*JOBS*",
            "A job failed: GET /broken answered 503.",
            "GET /jobs/{key} needs {key}*",
        ]
    )


def test_an_application_by_name_is_served_from_a_process_of_its_own(run, pytester):
    pytester.makepyfile(
        shop="""
        import os

        from flask import Flask

        app = Flask(__name__)

        @app.get("/")
        def home():
            return {"pid": os.getpid()}
        """
    )
    run(
        """
        def test_home(leak_check):
            assert leak_check("shop:app", requests=["GET /"], users=2).target == "shop:app"
        """,
        passed=1,
    )


def test_a_session_that_does_not_use_it_imports_nothing_for_it(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_light():
            assert "labserver.plugins.pytest" in sys.modules
            heavy = ["numpy", "psutil", "requests", "labserver.diagnosis", "labserver.report"]
            assert [name for name in heavy if name in sys.modules] == []
        """
    )
    # As installed: through the entry point, with warnings as errors.
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *OPTIONS]
    outcome = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout
