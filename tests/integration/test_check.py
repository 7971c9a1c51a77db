"""`labserver check` on whole small applications, as a user calls it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest

ROOT = Path(__file__).parents[2]
HEAD = """
from flask import Flask
app = Flask(__name__)
"""


def app(code):
    return HEAD + textwrap.dedent(code)


APPS = {
    "leaky_list": app("""
    KEPT = []

    @app.get("/work")
    def work():
        KEPT.append(bytes(2000))
        return {"ok": True}
    """),
    "leaky_class": textwrap.dedent("""
    from flask import Flask

    class Store:
        def __init__(self):
            self._seen = {}

    STORE = Store()

    def create_app(config=None, debug=False):
        app = Flask(__name__)

        @app.post("/jobs")
        def submit():
            key = str(len(STORE._seen))
            STORE._seen[key] = {"id": key, "image": "x" * 1000 + key}
            return {"id": "job " + key}, 202

        @app.get("/jobs/<key>")
        def show(key):
            assert key.startswith("job ")
            return {"status": "DONE"}

        return app
    """),
    "clean": app("""
    print("hello from the application")

    @app.get("/work")
    def work():
        print("working")
        return {"size": len(bytes(2000))}
    """),
    "bounded": app("""
    import functools, itertools, threading, time
    NUMBERS = itertools.count()
    threading.Thread(target=time.sleep, args=(600,)).start()

    @functools.lru_cache(maxsize=100)
    def render(number):
        return bytes(5000 + number % 7)

    @app.get("/work")
    def work():
        return {"size": len(render(next(NUMBERS)))}
    """),
    "fills": app("""
    import functools, itertools
    NUMBERS = itertools.count()

    @functools.lru_cache(maxsize=700)
    def render(number):
        return bytes(5000 + number % 7)

    @app.get("/work")
    def work():
        return {"size": len(render(next(NUMBERS)))}
    """),
    "fails_some": app("""
    import itertools
    NUMBERS = itertools.count()

    @app.get("/work")
    def work():
        return {"ok": True}, 500 if next(NUMBERS) % 10 < 3 else 200
    """),
    "fails_all": app("""
    @app.get("/work")
    def work():
        return {"ok": False}, 503
    """),
    "raises": app("""
    def connect():
        return {}["DSN"]

    @app.get("/work")
    def work():
        return connect()

    def plain(environ, start_response):
        return connect()
    """),
    "dies": app("""
    import itertools, os
    NUMBERS = itertools.count()

    @app.get("/work")
    def work():
        if next(NUMBERS) == 100:
            print("no more paper in the printer")
            os._exit(7)
        return {"ok": True}
    """),
    "hangs": app("import time\nprint('waiting for the database')\ntime.sleep(600)"),
    "broken": app("import subprocess\nsubprocess.Popen(['sleep', '600'])\nraise ValueError('no such\\nsetting')"),
    "exits": app("import sys\nsys.exit('not today')"),
    "no_wsgi": "import sys; app = 3; sys.modules.update(uvicorn=None, a2wsgi=None)\n"
    "async def asgi(scope, receive, send): ...\n"
    "def broken_factory(): raise KeyError('DSN')",
}


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    """Temporary files go to a directory of the test's own; afterwards it is empty, as are its processes."""
    folder = tempfile.mkdtemp(prefix="lc-", dir="/tmp")  # a short path: a socket's name goes in it
    monkeypatch.setenv("TMPDIR", folder)
    yield Path(folder)
    assert eventually(lambda: not left_in(folder)), left_in(folder)
    shutil.rmtree(folder)


@pytest.fixture
def shop(tmp_path):
    for name, code in APPS.items():
        (tmp_path / f"{name}.py").write_text(code)
    return tmp_path


def command(*arguments):
    return [sys.executable, "-m", "labserver", "check", *arguments]


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT)}


def check(shop, target, *arguments, request="GET /work"):
    """Exit code, the JSON result, standard output, standard error."""
    file = shop / "result.json"
    load = ["--request", request] if request else []
    done = subprocess.run(
        command(target, *load, *arguments, "--json", str(file)),
        cwd=shop,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert not re.search("^Traceback", done.stderr, re.MULTILINE)
    result = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return done.returncode, result, done.stdout, done.stderr


def processes_of(folder):
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("TMPDIR") == str(folder):
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def left_in(folder):
    return [*Path(folder).iterdir(), *processes_of(folder)]


def eventually(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_leaking_list_is_a_leak_and_named(shop):
    code, result, page, progress = check(shop, "leaky_list:app", "--junit", str(shop / "junit.xml"))
    assert code == 1, progress
    assert result["schema"] == "labserver.check/1"
    assert result["verdict"] == "leak"
    assert result["errors"] == 0
    growth = result["bytes_per_job"]
    assert growth["low"] <= growth["estimate"] <= growth["high"]
    assert growth["estimate"] == pytest.approx(2033, rel=0.03)
    holder = result["holders"][0]
    assert holder["path"] == "module leaky_list → KEPT → […]"
    assert holder["holder_type"] == "list"
    assert holder["buffers"] == result["jobs"]
    assert holder["share_of_growth"] > 0.95
    assert holder["allocated_at"][0].startswith("leaky_list.py:")
    assert holder["allocated_at"][0].endswith(" in work")
    assert holder["stack"][0] == holder["allocated_at"][0]
    assert len(holder["stack"]) > len(holder["allocated_at"])  # what called the application is a library's
    (largest, *_) = result["sites"]
    assert (largest["stack"], largest["allocated_at"]) == (holder["stack"], holder["allocated_at"])
    # The list's own table is in it where the traced jobs happen to move it.
    assert 0.9 <= largest["bytes"] / (50 * 2033) <= 1.5
    assert not [line for site in result["sites"] for line in site["stack"] if line.startswith("labserver/")]
    assert result["findings"] == []
    assert page.startswith("LEAK  leaky_list:app")
    assert "↓ KEPT" in page
    assert "looking for the holders" in progress
    suite = ET.parse(shop / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    assert "KEPT" in suite.find(".//failure").text


def test_a_leaking_dictionary_of_a_class_is_named_through_a_factory_and_chained_requests(shop):
    code, result, page, progress = check(
        shop, "leaky_class:create_app", "--request", "GET /jobs/{id}", request='POST /jobs json={"size": 1}'
    )
    assert code == 1, progress
    assert result["errors"] == 0
    assert "Store._seen" in result["holders"][0]["path"]
    assert result["holders"][0]["path"].startswith("module leaky_class → STORE")
    assert result["bytes_per_job"]["estimate"] == pytest.approx(1400, rel=0.15)
    assert "evict" in page


@pytest.mark.parametrize("name", ["clean", "bounded"])
def test_no_leak_is_exit_code_0(shop, name):
    code, result, page, progress = check(shop, f"{name}:app")
    assert code == 0, page + progress
    assert result["verdict"] == "no-leak"
    assert result["bytes_per_job"]["high"] < result["tolerance_bytes_per_job"]
    assert result["holders"] == []
    assert page.startswith(f"NO LEAK  {name}:app")


def test_a_cache_that_is_still_filling_is_filled_first(shop):
    code, result, page, progress = check(shop, "fills:app")
    assert code == 0, page + progress
    assert "was filled up to its bound of 700" in " ".join(page.split())
    assert result["bytes_per_job"]["high"] < 256


def test_a_cache_that_cannot_be_filled_in_time_is_inconclusive(shop):
    code, result, page, progress = check(shop, "fills:app", "--max-jobs", "40")
    assert code == 125, page + progress
    assert "declares a bound of 700 and is not full yet" in " ".join(page.split())
    assert "Next: the same with --max-jobs" in page
    assert result["verdict"] == "inconclusive"


def test_our_own_service_is_started_and_closed_as_a_host_does(shop):
    code, result, page, progress = check(shop, "labserver.incident.service.app:create_app", request="GET /health")
    assert code == 0, page + progress
    assert result["errors"] == 0


def test_the_share_of_failed_jobs_is_reported(shop):
    code, result, page, _ = check(shop, "fails_some:app")
    assert code == 0
    assert result["errors"] / result["jobs"] == pytest.approx(0.3, abs=0.05)
    assert "GET /work answered 500" in page


def test_a_journey_drives_the_application(shop):
    (shop / "load.py").write_text(
        "def visit(session, base_url):\n    session.get(base_url + '/work').raise_for_status()"
    )
    code, result, page, progress = check(shop, "clean:app", "--journey", "load:visit", request=None)
    assert code == 0, page + progress
    assert result["errors"] == 0


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("fails_all:app", "Every job failed: GET /work answered 503."),
        ("dies:app", "ended by itself (exit status 7); its last output: "),
        ("broken:app", "broken cannot be imported: ValueError: no such setting (broken.py:"),
        ("exits:app", "exits cannot be imported: it calls sys.exit('not today') (exits.py:5)."),
        ("nowhere:app", "nowhere cannot be imported: ModuleNotFoundError: No module named 'nowhere'."),
        ("clean:nothing", "clean has no attribute 'nothing': did you mean `app`?"),
        ("cleen:app", "No module named 'cleen': did you mean `clean`?"),
        ("no_wsgi:app", "no_wsgi:app is a int, not a WSGI application or a factory of one."),
        ("no_wsgi:asgi", "no_wsgi:asgi is an ASGI application"),
        ("no_wsgi:broken_factory", "no_wsgi:broken_factory() fails: KeyError: 'DSN' (no_wsgi.py:3)."),
        ("hangs:app", "within 6 s and is still at hangs.py:6 in <module>; its last output: waiting for the database."),
    ],
)
def test_what_cannot_be_said_is_one_sentence_and_exit_code_125(shop, target, sentence):
    code, result, page, error = check(shop, target, "--max-seconds", "6" if target == "hangs:app" else "60")
    assert code == 125, page + error
    assert sentence in error
    assert page == ""
    assert result["verdict"] == "inconclusive"
    assert result["bytes_per_job"] is None
    assert sentence in result["notes"][0]


@pytest.mark.parametrize("target", ["raises:app", "raises:plain"])
def test_what_fails_says_what_was_answered_and_printed(shop, target):
    code, result, _, error = check(shop, target, "--html", "a.html", "--junit", "a.xml")
    assert code == 125
    assert "labserver: Every job failed: GET /work answered 500.\n" in error
    failure = result["failure"]
    assert failure["answer"]["status"] == 500
    assert failure["answer"]["body"]
    assert failure["output"][-1] == "KeyError: 'DSN'"
    assert any(line.endswith(", in connect") for line in failure["output"])
    for text in (error, (shop / "a.xml").read_text(), (shop / "a.html").read_text()):
        assert "in connect" in text
        assert "DSN" in text


def test_a_journey_that_is_not_there_cannot_be_said_either(shop):
    code, _, _, error = check(shop, "clean:app", "--journey", "load:nothing", request=None)
    assert code == 125
    assert "load:nothing" in error


def test_too_little_time_is_inconclusive(shop):
    code, result, page, _ = check(shop, "clean:app", "--max-jobs", "5")
    assert code == 125
    assert page.startswith("INCONCLUSIVE  clean:app")
    assert any(note.startswith("Undecided after") for note in result["notes"])


def test_the_application_ends_with_a_parent_that_is_killed(shop, nothing_left):
    parent = subprocess.Popen(
        command("clean:app", "--request", "GET /work", "--max-jobs", "1000000", "--tolerance", "0.01"),
        cwd=shop,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    with parent:
        while "measuring" not in parent.stderr.readline():
            assert parent.poll() is None
        assert len(processes_of(nothing_left)) == 3  # the check, the application, the users
        (private,) = nothing_left.iterdir()
        assert private.stat().st_mode & 0o777 == 0o700
        parent.kill()
    assert eventually(lambda: not left_in(nothing_left))


def test_ctrl_c_ends_everything(shop):
    file = shop / "result.json"
    parent = subprocess.Popen(
        command(
            *("clean:app", "--request", "GET /work", "--max-jobs", "1000000", "--tolerance", "0.01"),
            *("--json", str(file)),
        ),
        cwd=shop,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with parent:
        while not re.search(r"measuring, [1-9]\d* jobs", parent.stderr.readline()):
            assert parent.poll() is None
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.wait(60) == 130
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["verdict"] == "inconclusive"
    assert result["floors"][0]["jobs"] == 0


def test_git_bisect_finds_the_commit_that_brought_the_leak(tmp_path):
    def git(*arguments):
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments],
            cwd=tmp_path,
            env=environment() | {"GIT_CONFIG_GLOBAL": os.devnull},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    leak = "KEPT = []\n@app.before_request\ndef note():\n    KEPT.append(bytes(3000))\n"
    work = "@app.get('/work')\ndef work():\n    return {'ok': True}\n"
    bodies = [work, work, "1 / 0\n", work, work + leak, work + leak]
    git("init", "-q", "-b", "main")
    for number, body in enumerate(bodies):
        (tmp_path / "app.py").write_text(f"{HEAD}# revision {number}\n{body}")
        git("add", "app.py")
        git("commit", "-q", "-m", f"revision {number}")
    git("bisect", "start", "HEAD", "HEAD~5")
    said = git("bisect", "run", *command("app:app", "--request", "GET /work"))
    assert "revision 4" in said.split("is the first bad commit")[1].split("diff")[0], said
