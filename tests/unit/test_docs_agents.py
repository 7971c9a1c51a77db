"""What coding agents are told is so."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from labserver.diagnosis import CheckResult, NamedHolder
from labserver.diagnosis.fact import NoteKind

DOCS = Path(__file__).parents[2] / "docs"
SKILL = (DOCS / "SKILL.md").read_text(encoding="utf-8")
AGENTS = (DOCS / "agents.md").read_text(encoding="utf-8")
READING = (DOCS / "reading.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def answer():
    """The data that another test compares with those of a real check."""
    return json.loads(re.search(r"```json\n(.+?)```", READING, re.DOTALL)[1])


def commands(page):
    return re.findall(r"^\$ (.+)$", page, re.MULTILINE)


def test_a_skill_has_a_name_and_says_when_it_is_for():
    header = yaml.safe_load(SKILL.split("---\n")[1])
    assert re.fullmatch(r"[a-z][a-z-]{0,63}", header["name"])
    assert "Use it when" in header["description"]
    assert len(header["description"]) <= 1024


def test_a_skill_stands_alone():
    assert not re.findall(r"\]\((?!https?:)", SKILL)
    assert len(SKILL.split()) <= 1000


def test_the_command_that_reads_an_answer_reads_one(answer, tmp_path):
    (tmp_path / "leak.json").write_text(json.dumps(answer), encoding="utf-8")
    (line,) = [line for line in commands(SKILL) if line.startswith("python -c")]
    command = [sys.executable, *shlex.split(line)[1:]]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60).stdout
    for shown in ("leak", answer["holders"][0]["holder"], answer["holders"][0]["allocated_at"][0]):
        assert shown in said


@pytest.mark.parametrize("page", [SKILL, AGENTS], ids=["skill", "page"])
def test_every_key_that_is_named_is_in_an_answer(answer, page):
    named = re.findall(r"`holders\[0\]\.(\w+)`", page)
    assert named
    assert {*named} <= answer["holders"][0].keys()
    for key in re.findall(r"^\| [^|]+\? \| `(\w+)`", page, re.MULTILINE):
        assert key in answer


def test_every_kind_that_is_named_exists():
    known = {*re.findall(r"^\| `([\w-]+)` \|", READING, re.MULTILINE)}
    named = {*re.findall(r"`([\w-]+)`", re.search(r"- `findings` is (.+)", SKILL)[1])}
    assert len(named) > 3
    assert named <= known
    assert NoteKind("next")


def test_what_is_read_of_a_result_in_python_exists():
    names = {field.name for field in fields(CheckResult)} | {*dir(CheckResult)}
    assert {*re.findall(r"\br\.(\w+)", SKILL)} <= names
    assert {*re.findall(r"\bh\.(\w+) for", SKILL)} <= {field.name for field in fields(NamedHolder)}
