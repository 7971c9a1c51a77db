"""The pages and the code say the same."""

import importlib
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from _pytest.config.argparsing import Parser

from labserver import __version__
from labserver.cli import COMMANDS, cli
from labserver.plugins import pytest as pytest_plugin
from labserver.plugins.pytest_judgement import Answer, Judgement

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
PAGE_OF = {
    "check": "check",
    "doctor": "commands",
    "faceapi": "service",
    "heap": "heap",
    "load": "load",
    "report": "incident",
    "run": "incident",
    "serve": "service",
    "watch": "watch",
}


def text_of(path):
    return path.read_text(encoding="utf-8")


def page(name):
    return text_of(DOCS / f"{name}.md")


def names(page):
    return page.relative_to(ROOT).as_posix()


def without_code(text):
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def options_of(command):
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    own = [one for one in command.params if isinstance(one, click.Option)]
    return own + [option for one in inner for option in options_of(one)]


def test_the_readme_is_a_front_door():
    assert len(text_of(README).split()) <= 700


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_on_the_page_of_commands_and_on_its_own(name):
    assert re.search(rf"^\| `labserver {name}\b", page("commands"), re.MULTILINE)
    assert f"labserver {name}" in page(PAGE_OF[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_on_its_commands_page(name):
    for option in options_of(cli.get_command(click.Context(cli), name)):
        written = [re.search(rf"`{form}[` ]", page(PAGE_OF[name])) for form in option.opts]
        assert any(written), option.opts


def test_every_option_of_the_pytest_plugin_is_on_its_page():
    parser = Parser(_ispytest=True)
    pytest_plugin.pytest_addoption(parser)
    (group,) = (one for one in parser._groups if one.name == "labserver")
    forms = [form for option in group.options for form in option.names()]
    assert len(forms) == len(set(forms)) > 10
    for form in forms:
        assert re.search(rf"`{form}[` ]", page("pytest")), form
    assert sorted(parser._inidict) == sorted({option.dest for option in group.options})


def test_every_key_of_a_sessions_lines_is_on_the_plugins_page():
    line = Judgement("test_a", Answer.LEAK, estimate=1.0, low=0.5, high=1.5, confidence=0.99).to_json()
    for key in [*line, *line["bytes_per_run"], line["schema"], *Answer]:
        assert f"`{key}`" in page("pytest"), key


@pytest.mark.parametrize("path", PAGES, ids=names)
def test_every_command_line_has_options_that_exist(path):
    for line in re.findall(r"^ *\$ (?:git bisect run )?labserver (.+?)(?:\s{2,}#.*)?$", text_of(path), re.MULTILINE):
        name, *words = shlex.split(line)
        command = cli.get_command(click.Context(cli), name)
        known = {form for option in options_of(command) for form in [*option.opts, *option.secondary_opts]}
        assert {word for word in words if word.startswith("-")} <= known, line


def test_every_extra_is_on_a_page():
    extras = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["optional-dependencies"]
    pages = "".join(map(text_of, PAGES))
    for extra in extras:
        assert f"`labserver[{extra}]`" in pages or f"extra `{extra}`" in pages, extra


@pytest.mark.parametrize("module", ["labserver.diagnosis", "labserver.load", "labserver.errors"])
def test_every_public_name_is_on_the_page_of_python(module):
    imported = importlib.import_module(module)
    defined = [name for name, value in vars(imported).items() if getattr(value, "__module__", None) == module]
    names = getattr(imported, "__all__", None) or [name for name in defined if name.isidentifier() and name[0] != "_"]
    assert names
    described = re.findall(r"^\.\. auto\w+:: (\S+)$", page("api"), re.MULTILINE)
    assert {f"{module}.{name}" for name in names} <= {*described}
    for name in described:
        home, _, attribute = name.rpartition(".")
        assert getattr(importlib.import_module(home), attribute).__doc__


def test_every_notebook_is_among_the_incidents():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"[`{path.stem}`](../notebooks/{path.name})" in page("incident")


def test_every_make_target_is_among_the_commands_of_contributors():
    for target in re.search(r"\.PHONY: (.+)", text_of(ROOT / "Makefile"))[1].split():
        assert f"| `make {target}` |" in page("contributing")


def test_every_room_of_the_package_is_in_the_plan_of_the_house():
    rooms = {f"labserver/{path.parent.name}" for path in (ROOT / "labserver").glob("*/__init__.py")}
    rooms |= {f"labserver/incident/{path.parent.name}" for path in (ROOT / "labserver/incident").glob("*/__init__.py")}
    for room in rooms - {"labserver/incident"}:
        assert f"| `{room}` |" in page("contributing"), room


@pytest.mark.parametrize("path", PAGES, ids=names)
def test_every_path_that_a_page_names_exists(path):
    for named in re.findall(r"`((?:labserver|notebooks|docs|outputs|tests)/[\w./]+)`", text_of(path)):
        made = re.search(r"[A-Z]{2}|runs|build", named)  # a placeholder, or what a command makes
        assert made or (ROOT / named).exists(), named


@pytest.mark.parametrize("path", PAGES, ids=names)
def test_every_link_leads_somewhere(path):
    for link in re.findall(r"\]\(((?!https?:)[^)]+)\)", without_code(text_of(path))):
        file, _, anchor = link.partition("#")
        goal = (path.parent / file).resolve() if file else path
        assert goal.is_file(), link
        assert not anchor or anchor in anchors(text_of(goal)), link


def test_every_page_is_in_the_list_of_contents():
    listed = re.findall(r"^docs/(\w+)$", text_of(DOCS / "contents.txt"), re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in DOCS.glob("*.md"))


def test_the_pictures_are_small():
    for path in (DOCS / "images").iterdir():
        assert path.stat().st_size < 200_000, path


def test_the_changelog_is_sorted_by_kind():
    text = text_of(ROOT / "CHANGELOG.md")
    assert "## [Unreleased]" in text or f"## [{__version__}]" in text
    for version in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", version, re.MULTILINE)
        assert kinds == [kind for kind in ("Added", "Changed", "Deprecated", "Removed", "Fixed") if kind in kinds]


def test_nothing_tracked_names_a_machine_path():
    for folder in ("labserver", "notebooks", "outputs/reference", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".ipynb", ".md", ".json", ".j2", ".toml"}:
                assert not re.search(r"/(home|Users|root)/", text_of(path)), path
