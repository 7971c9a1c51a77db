"""The notebooks' contract: prose, parameters, plots and claims; logic lives in the package."""

import ast
import itertools
import re
import tomllib
from pathlib import Path

import nbformat
import pytest

from labserver.suite.parameters import read_parameters

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PROFILES = tomllib.loads((FOLDER / "profiles.toml").read_text(encoding="utf-8"))
SHOWS_ITSELF = {"print", "display", "writeup.show", "notebook.show", "notebook.conclude"}
ANSWER = re.compile(r"^<details>\n<summary>Answer</summary>\n\n.+?\n\n</details>$", re.MULTILINE | re.DOTALL)
OPENING = ["Question", "Method", "Finding", "Runtime"]

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def python(cell):
    """A cell's code without the lines that only IPython knows: of `%%leakcheck` the body is left."""
    return "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))


def links(text):
    return re.findall(r"\]\(([^)]+)\)", text)


def test_the_name_is_a_number_a_verb_and_a_topic(path):
    assert re.fullmatch(r"\d\d(_[a-z]+){2,}\.ipynb", path.name)


def test_it_opens_with_question_method_finding_runtime(path):
    opening = cells(path, "markdown")[0].source
    assert opening.startswith("# ")
    assert re.findall(r"\*\*(\w+)\.\*\*", opening) == OPENING


def test_it_says_what_is_learned_what_is_needed_and_how_long_it_takes(path):
    second = cells(path, "markdown")[1].source
    assert re.findall(r"^\*\*(You will learn|You need|Time to learn\.)\*\*", second, re.MULTILINE) == [
        "You will learn",
        "You need",
        "Time to learn.",
    ]
    assert re.findall(r"^(\d)\. ", second, re.MULTILINE)[:2] == ["1", "2"]


def test_it_links_to_the_one_before_and_to_the_one_after_where_it_begins_and_where_it_ends(path):
    _, learn, *_, last = [cell.source for cell in cells(path, "markdown")]
    at = NOTEBOOKS.index(path)
    neighbours = {other.name for other in [*NOTEBOOKS[max(at - 1, 0) : at], *NOTEBOOKS[at + 1 : at + 2]]}
    for text in (learn, last):
        assert neighbours <= {*links(text)}


def test_every_link_to_another_notebook_leads_to_one(path):
    linked = [link for cell in cells(path, "markdown") for link in links(cell.source) if "//" not in link]
    assert {*linked} <= {other.name for other in NOTEBOOKS}


def test_it_ends_with_sources(path):
    _, _, further = cells(path, "markdown")[-1].source.partition("**Further reading")
    assert [link for link in links(further) if link.startswith("https://")]


def test_it_asks_for_a_prediction_whose_answer_is_folded(path):
    texts = [cell.source for cell in cells(path, "markdown")]
    asked = [text for text in texts if re.search(r"^#+ Predict", text, re.MULTILINE)]
    assert asked
    for text in asked:
        folded = re.findall(
            r"^<details>\n<summary>Answer</summary>\n\n(.+?)\n\n</details>$", text, re.MULTILINE | re.DOTALL
        )
        assert len(folded) == text.count("<details>") == text.count("?\n") > 0


def test_each_of_several_experiments_has_its_question_and_its_answer(path):
    everything = nbformat.read(path, as_version=4).cells
    texts = [cell.source for cell in everything]
    begins = [at for at, text in enumerate(texts) if text.startswith("## Experiment ")]
    for here, there in itertools.pairwise([*begins, len(texts)]):
        assert "**Question.**" in texts[here]
        assert any("answers." in cell.source for cell in everything[here:there] if cell.cell_type == "code")


def test_it_has_no_heading_twice_and_one_title(path):
    written = [re.findall(r"^(#+) (.+)$", cell.source, re.MULTILINE) for cell in cells(path, "markdown")]
    headings = [heading for found in written for heading in found]
    assert [level for level, _ in headings].count("#") == 1
    named = [words for _, words in headings if not words.startswith("Predict")]
    assert len(named) == len({*named})
    assert all(len(below) - len(above) <= 1 for (above, _), (below, _) in itertools.pairwise(headings))


def test_it_has_one_cell_of_typed_parameters_with_help(path):
    specs = read_parameters(path)
    assert "run_dir" in specs
    assert all(spec.help for spec in specs.values())


def test_it_defines_nothing(path):
    trees = [ast.parse(python(cell)) for cell in cells(path, "code")]
    defined = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert not defined


def test_no_bare_expression_is_kept_by_the_shell(path):
    for cell in cells(path, "code"):
        *_, last = [None, *ast.parse(python(cell)).body]
        # What a checked cell ends with is dropped.
        if isinstance(last, ast.Expr) and not cell.source.startswith("%%"):
            assert isinstance(last.value, ast.Call), cell.source
            assert ast.unparse(last.value.func) in SHOWS_ITSELF


def test_code_is_read_without_scrolling(path):
    for cell in cells(path, "code"):
        lines = cell.source.splitlines()
        assert max(map(len, lines)) <= 100
        # The parameters are a list, of one a line.
        assert len(lines) <= 12 or "parameters" in cell.metadata.get("tags", []), cell.source


def test_cells_are_introduced_by_prose(path):
    everything = nbformat.read(path, as_version=4).cells
    for before, cell in itertools.pairwise(everything):
        if cell.cell_type == "code":
            setting_up = {"parameters"} & {*cell.metadata.get("tags", []), *before.metadata.get("tags", [])}
            assert before.cell_type == "markdown" or setting_up, cell.source


def test_it_ends_by_asserting_its_claims(path):
    *earlier, last = [python(cell) for cell in cells(path, "code")]
    assert ast.parse(last).body[-1].value.func.attr == "conclude"
    assert not re.search(r"\bconclude\(|\bclaims\.", "\n".join(earlier))


def test_it_is_stored_without_outputs_and_machine_paths(path):
    for cell in cells(path, "code"):
        assert not cell.outputs
        assert cell.execution_count is None
    assert not re.search(r"/(home|Users|root|tmp|work)/", path.read_text(encoding="utf-8"))


def test_profiles_scale_time_only(path):
    specs = read_parameters(path)
    for profile in PROFILES.values():
        for name in profile.get(path.stem, {}):
            assert name in specs
            assert name.endswith("_s"), f"{name} is no duration"


def test_the_seed_profile_is_the_incidents_own(path):
    incident = {"duration_s": 30, "poll_interval_s": 3, "ttl_s": 600, "sweep_s": 60, "sample_interval_s": 1}
    specs, seed = read_parameters(path), PROFILES["seed"].get(path.stem, {})
    for name, value in incident.items():
        if name in specs:
            assert seed[name] == value
