"""The workflows and the container's file are what their readers take: by schema, by linter, and beside the project."""

import platform
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CI_PAGE = ROOT / "docs" / "ci.md"
SCHEMAS = ("vendor.github-workflows", "custom.github-workflows-require-timeout")
# What gives more than reading the code, and the jobs that need it.
MORE = {("docs", "publish"): {"pages", "id-token"}, ("release", "publish"): {"id-token"}}


def text_of(path):
    return path.read_text(encoding="utf-8")


def examples():
    return re.findall(r"```yaml\n(.+?)```", text_of(CI_PAGE), re.DOTALL)


@pytest.fixture(scope="module")
def workflows():
    return {path.stem: yaml.safe_load(text_of(path)) for path in FILES}


def jobs_of(workflows):
    return [(name, job, body) for name, flow in workflows.items() for job, body in flow["jobs"].items()]


def steps_of(workflows):
    return [step for _, _, job in jobs_of(workflows) for step in job["steps"]]


def rejected(schema, *files):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_workflow_keeps_to_the_schema(schema, tmp_path):
    shown = []
    for number, example in enumerate(examples()):
        shown.append(tmp_path / f"{number}.yml")
        shown[-1].write_text(example, encoding="utf-8")
    assert len(FILES) == 4
    assert shown
    assert rejected(schema, *FILES, *shown) == ""


def test_the_schemas_reject_a_mistake(tmp_path):
    mistakes = [("runs-on:", "run-on:"), ("timeout-minutes:", "# timeout-minutes:"), ("steps:", "step:")]
    for number, mistake in enumerate(mistakes):
        (tmp_path / f"{number}.yml").write_text(text_of(FILES[0]).replace(*mistake), encoding="utf-8")
    said = "".join(rejected(schema, *tmp_path.iterdir()) for schema in SCHEMAS)
    for number in range(len(mistakes)):
        assert f"{number}.yml" in said


def test_the_citation_keeps_to_its_schema_and_names_this_version():
    file = ROOT / "CITATION.cff"
    assert rejected("vendor.citation-file-format", file) == ""
    cited = yaml.safe_load(text_of(file))
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])


def test_actions_are_pinned(workflows):
    used = [step["uses"] for step in steps_of(workflows) if "uses" in step]
    used += re.findall(r"uses: (\S+)", "".join(examples()))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d+|release/v\d+|[0-9a-f]{40})", action), action


def test_nothing_may_more_than_it_needs(workflows):
    for name, flow in workflows.items():
        assert flow["permissions"] == {"contents": "read"}, name
    for name, job, body in jobs_of(workflows):
        assert {*body.get("permissions", {})} == MORE.get((name, job), set()), (name, job)


def test_no_expression_of_a_stranger_gets_into_a_script(workflows):
    for step in steps_of(workflows):
        assert "${{" not in step.get("run", ""), step


def test_all_pythons_that_are_promised_are_tested(workflows):
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    promised = re.findall(r"Python :: (3\.\d+)", "".join(project["classifiers"]))
    assert workflows["tests"]["jobs"]["pythons"]["strategy"]["matrix"]["python"] == promised
    assert workflows["tests"]["jobs"]["macos"]["runs-on"].startswith("macos")


def test_every_target_session_and_command_exists(workflows):
    runs = "\n".join(step.get("run", "") for step in steps_of(workflows))
    targets = set(re.search(r"\.PHONY: (.+)", text_of(ROOT / "Makefile"))[1].split())
    made, asked = set(re.findall(r"\bmake (\S+)", runs)), re.findall(r"nox --session (.+)", runs)
    assert made
    assert made <= targets
    sessions = {name.strip('"').partition("-")[0] for line in asked for name in line.split()}
    assert sessions == {"packages", "pythons", "macos"}
    assert sessions <= set(re.findall(r"^def (\w+)\(session", text_of(ROOT / "noxfile.py"), re.MULTILINE))


def test_each_stage_of_the_container_is_built(workflows):
    stages = re.findall(r"^FROM base AS (\w+)", text_of(ROOT / "Dockerfile"), re.MULTILINE)
    assert sorted(workflows["container"]["jobs"]["build"]["strategy"]["matrix"]["stage"]) == sorted(stages)
    for stage in stages:
        assert f"--target {stage}" in text_of(ROOT / "docs" / "container.md")


def test_each_stage_ends_as_somebody_without_rights():
    for stage in re.split(r"^FROM base AS ", text_of(ROOT / "Dockerfile"), flags=re.MULTILINE)[1:]:
        (user,) = re.findall(r"^USER (\d+)$", stage, re.MULTILINE)
        assert int(user) > 0


def test_what_the_container_copies_is_let_in():
    let_in = {line[1:] for line in text_of(ROOT / ".dockerignore").splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?:--\S+ )?(.+) \S+$", text_of(ROOT / "Dockerfile"), re.MULTILINE)
    assert {name for line in copied for name in line.split()} == let_in
    assert all((ROOT / name).exists() for name in let_in)


@pytest.mark.linux("the image is one of Linux, whose sed it uses")
def test_the_containers_versions_are_those_of_the_lock():
    (command,) = re.findall(r"(sed -nE '.+' requirements\.txt)", text_of(ROOT / "Dockerfile"))
    said = subprocess.run(shlex.split(command), cwd=ROOT, check=True, capture_output=True, text=True).stdout
    constraints = [Requirement(line) for line in said.splitlines()]
    locked = re.findall(r"^([\w.-]+)==(\S+)", text_of(ROOT / "requirements.txt"), re.MULTILINE)
    assert [(one.name, str(one.specifier)) for one in constraints] == [(name, f"=={number}") for name, number in locked]
    assert any(one.marker for one in constraints)  # of a package with several versions one alone may hold


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="hadolint has no wheel for it")
def test_the_containers_file_passes_its_linter(tmp_path):
    program = Path(sys.executable).with_name("hadolint")
    linted = [program if program.exists() else shutil.which("hadolint"), "--no-color"]
    done = subprocess.run([*linted, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM python\nRUN cd /app && pip install labserver\n", encoding="utf-8")
    assert subprocess.run([*linted, wrong], capture_output=True, check=False, timeout=60).returncode == 1
