"""What the pages say of `labserver check` and of CI is so."""

import json
import re
import shlex
from datetime import date
from pathlib import Path

import click
import pytest
import yaml

from labserver.cli import cli
from labserver.diagnosis.accepted import read_baseline

ROOT = Path(__file__).parents[2]
CHECK = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
CI = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


def fenced(language):
    (text,) = re.findall(rf"```{language}\n(.+?)```", CI, re.DOTALL)
    return text


def options_of(name):
    command = cli.get_command(click.Context(cli), name)
    return {option for one in command.params if isinstance(one, click.Option) for option in one.opts}


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load(fenced("yaml"))


def test_every_option_of_check_is_documented():
    rows = re.findall(r"^\| (`--.+?) \|", CHECK, re.MULTILINE)
    assert set(re.findall(r"--[\w-]+", " ".join(rows))) == options_of("check")


def test_every_exit_code_of_check_is_documented():
    assert re.findall(r"^\| (\d+) \|", CHECK, re.MULTILINE) == [
        "0",
        "1",
        "125",
        "2",
        "130",
    ]


def test_the_workflow_calls_what_exists(workflow):
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = [shlex.split(step["run"]) for step in steps if step.get("run", "").startswith("labserver ")]
    assert [command[1] for command in commands] == ["check", "run"]
    for _, name, *words in commands:
        assert {word for word in words if word.startswith("--")} <= options_of(name)


def test_the_workflow_keeps_its_files_when_the_check_fails(workflow):
    for job in workflow["jobs"].values():
        upload = job["steps"][-1]
        assert upload["uses"].startswith("actions/upload-artifact@")
        assert upload["if"] == "always()"
        assert job["timeout-minutes"] <= 60
    written = shlex.split(workflow["jobs"]["application"]["steps"][-2]["run"])
    pattern = re.compile(workflow["jobs"]["application"]["steps"][-1]["with"]["path"].replace("*", ".*"))
    for option in ("--json", "--junit", "--html"):
        assert pattern.fullmatch(written[written.index(option) + 1])


def test_the_workflow_asks_for_no_more_than_it_needs(workflow):
    assert workflow["permissions"] == {"contents": "read"}


def test_the_baseline_can_be_read(tmp_path):
    (tmp_path / "b.json").write_text(fenced("json"), encoding="utf-8")
    (entry,) = read_baseline(tmp_path / "b.json").values()
    assert entry.expires > date.today()  # noqa: DTZ011
    assert json.loads(fenced("json"))["accepted"][0]["fingerprint"] == entry.fingerprint
