import os
import pkgutil
import signal
import socket
import subprocess
import sys

import click
import pytest
import requests
from click.testing import CliRunner

import labserver.cli
from labserver import __version__
from labserver.cli import COMMANDS, cli, main
from labserver.errors import CannotRun


def python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, **options
    )


def test_help_lists_each_command_without_importing_it():
    code = (
        "import sys\nfrom labserver.cli import main\nmain(['--help'])\n"
        "print([m for m in sys.modules if m.startswith('labserver.cli.') or m in ('papermill', 'flask', 'numpy')])"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize(
    "name", [module.name for module in pkgutil.iter_modules(labserver.cli.__path__) if module.name[0] != "_"]
)
def test_each_command_explains_itself(name):
    assert name in COMMANDS
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"Usage: cli {name}" in result.output


def test_version(capsys):
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nothing"], ["--nothing"], ["doctor", "--nothing"], ["serve", "--port", "x"]])
def test_a_wrong_argument_is_exit_code_2(arguments, capsys):
    assert main(arguments) == 2
    assert "Error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("deadline", "sentence"),
    [
        ("0", "labserver: The deadline is "),
        *((text, "Error: Invalid value for '--deadline'") for text in ("-1", "inf")),
    ],
)
def test_a_deadline_that_is_none_is_one_sentence_and_starts_nothing(deadline, sentence, tmp_path, capsys):
    output = tmp_path / "runs"
    assert main(["run", "02", "--deadline", deadline, "--output", str(output)]) == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("labserver:", "Error:"))]
    assert said.startswith(sentence)
    assert not output.exists()


@pytest.fixture
def failing(monkeypatch):
    def with_error(error):
        @click.command()
        def command():
            raise error

        monkeypatch.setattr(labserver.cli.LazyGroup, "get_command", lambda *_: command)

    return with_error


def test_an_error_of_the_user_is_one_sentence_without_traceback(failing, capsys):
    failing(CannotRun("Port 1 is in use."))
    assert main(["run"]) == 3
    assert capsys.readouterr().err == "labserver: Port 1 is in use.\n"
    assert CliRunner().invoke(cli, ["run"]).exit_code == 3


def test_ctrl_c_is_130(failing):
    failing(KeyboardInterrupt())
    assert main(["run"]) == 130


def test_a_mistake_of_ours_keeps_its_traceback(failing):
    failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["run"])


def test_doctor_names_each_extra_and_what_is_missing(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PATH", "")
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0, result.output
    for word in ("Python", "extra notebooks", "extra dev", "memory", "CPUs", "/proc", "fork"):
        assert word in result.output
    (dot,) = [line for line in result.output.splitlines() if "Graphviz" in line]
    assert "missing" in dot
    assert "pictures of reference chains" in dot


def test_doctor_says_what_a_missing_package_switches_off(monkeypatch):
    from labserver.cli import doctor

    monkeypatch.setattr(doctor, "_installed", lambda name: name != "papermill")
    rows = {row[0]: row[1:] for row in doctor.rows()}
    assert rows["extra notebooks"] == ("missing: papermill", "labserver run and labserver report")
    assert rows["extra dev"] == ("present", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_until_it_is_told_to_stop(number):
    command = [sys.executable, "-c", "import sys; from labserver.cli import main; sys.exit(main())"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*command, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        url = server.stdout.readline().split()[0]
        try:
            assert requests.get(f"{url}/health", timeout=60).status_code == 200
        finally:
            server.send_signal(number)
        assert server.wait(60) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health", timeout=60)


def test_serve_says_in_one_sentence_what_is_wrong(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 3
    assert "in use" in capsys.readouterr().err
    assert main(["serve", "--store", "leeky"]) == 2
    assert "leaky" in capsys.readouterr().err
    assert main(["serve", "--host", "0.0.0.0"]) == 2


@pytest.mark.parametrize("name", ["run", "report"])
def test_without_the_notebooks_packages_one_sentence_says_what_to_install(name, failing, capsys):
    failing(ModuleNotFoundError("No module named 'nbformat'", name="nbformat"))
    assert main([name]) == 3
    assert capsys.readouterr().err == (
        f"labserver: labserver {name} needs the package nbformat: pip install 'labserver[notebooks]'.\n"
    )


def test_a_package_that_the_core_lacks_keeps_its_traceback(failing):
    failing(ModuleNotFoundError("No module named 'numpy'", name="numpy"))
    with pytest.raises(ModuleNotFoundError):
        main(["serve"])


UNHEARD = """
import os, sys
from labserver.cli import cli, main, say
import click

@cli.command()
def answer():
    {how}("✓" * 100_000)
    sys.exit(7)

cli.get_command = lambda *_: answer
sys.exit(main(["answer"]))
"""


@pytest.mark.parametrize(("how", "code"), [("say", 7), ("print", 141)])
def test_a_reader_that_leaves_costs_neither_a_traceback_nor_the_answers_exit_code(how, code):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", UNHEARD.format(how=how)], stdout=write, stderr=subprocess.PIPE, check=False, timeout=60
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (code, b"")


def test_a_sign_that_the_terminal_lacks_is_replaced():
    done = python(UNHEARD.format(how="say"), env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout, done.stderr) == (7, "?" * 100_000 + "\n", "")
