import sys
from pathlib import Path

import pytest

from labserver.errors import UsageError
from labserver.targets.server.command_line import CommandLine


def test_a_place_for_the_port_gets_a_free_one_wherever_it_stands():
    line = CommandLine.parse(f"{sys.executable} -m shop --bind=127.0.0.1:{{port}} '{{port}}'")
    assert 1024 < line.port < 65536
    assert line.arguments[-2:] == (f"--bind=127.0.0.1:{line.port}", str(line.port))
    assert CommandLine.parse(f"{sys.executable} -m shop").port is None


def test_quotes_group_words_and_variables_may_stand_before_the_program():
    line = CommandLine.parse("""LEVEL=1 NAME='a b' sh -c 'exec "$0" $LEVEL'""")
    assert line.environment == {"LEVEL": "1", "NAME": "a b"}
    assert line.arguments[1:] == ("-c", 'exec "$0" $LEVEL')


def test_a_program_beside_the_interpreter_is_found_without_an_active_environment(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "gunicorn").write_text("#!/bin/sh\n")
    (tmp_path / "gunicorn").chmod(0o755)
    assert CommandLine.parse("gunicorn shop:app").arguments == (str(tmp_path / "gunicorn"), "shop:app")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The command is empty"),
        ("A=1", "The command is empty"),
        ("no-such-server-here shop:app", "The command no-such-server-here was not found"),
        ("python 'shop", "cannot be read (no closing quotation)"),
        ("python -m shop | tee log", "No shell runs the command, so '|'"),
        ("python -m shop > log", "No shell runs the command, so '>'"),
        ("cd shop && python -m shop", "No shell runs the command, so '&&'"),
        ("./plain", "may not be executed"),
    ],
)
def test_what_is_no_command_is_one_sentence(monkeypatch, tmp_path, text, sentence):
    monkeypatch.chdir(tmp_path)
    Path("plain").write_text("")
    with pytest.raises(UsageError) as caught:
        CommandLine.parse(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
