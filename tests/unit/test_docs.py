"""README and code say the same."""

import re
from pathlib import Path

import click
import pytest

from labserver import __version__
from labserver.cli import COMMANDS, cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name):
    assert f"labserver {name}" in README


def test_every_option_that_the_readme_shows_exists():
    context = click.Context(cli)
    for line in re.findall(r"^\$ labserver (.+?)(?:\s{2,}#.*)?$", README, re.MULTILINE):
        name, *words = line.split()
        command = cli.get_command(context, name)
        known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
        assert {word for word in words if word.startswith("-")} <= known, line


@pytest.mark.parametrize("name", ["load", "watch"])
def test_every_option_of_load_and_watch_is_documented(name):
    section = README.split("## The parts by themselves")[1].split("\n## ")[0]
    command = cli.get_command(click.Context(cli), name)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert any(re.search(rf"`[^`]*{option}\b", section) for option in parameter.opts), parameter.opts


def test_every_notebook_is_in_the_readme():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"`{path.stem}`" in README


def test_every_make_target_is_in_the_readme_and_every_link_leads_somewhere():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.search(r"\.PHONY: (.+)", makefile)[1].split():
        assert f"make {target}" in README
    headings = {f"#{heading.lower().replace(' ', '-')}" for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)}
    for link in re.findall(r"\]\(((?!https?:)[^)]+)\)", README):
        assert link in headings or (ROOT / link).is_file() or (ROOT / link).is_dir(), link


def test_the_readmes_python_runs():
    (snippet,) = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    namespace = {}
    exec(compile(snippet, "README.md", "exec"), namespace)
    assert namespace["summary"].iterations == 10
    assert namespace["summary"].check_rate == 1


def test_the_changelog_has_an_entry_for_what_is_being_made():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text or f"## [{__version__}]" in text


def test_nothing_tracked_names_a_machine_path():
    for folder in ("labserver", "notebooks", "outputs/reference"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".ipynb", ".md", ".json", ".j2", ".toml"}:
                text = path.read_text(encoding="utf-8")
                assert not re.search(r"/(home|Users|root)/", text), path
